import type { ReactNode } from "react";

function icon(paths: ReactNode) {
  return function Icon({ className = "size-4" }: { className?: string }) {
    return (
      <svg
        className={className}
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
      >
        {paths}
      </svg>
    );
  };
}

export const GridIcon = icon(<path d="M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z" />);
export const BoardIcon = icon(<path d="M2.5 2.500h3v11h-3zM6.500 2.500h3v6h-3zM10.500 2.500h3v8.500h-3z" />);
export const DeployIcon = icon(<path d="M8 13.5V4M4 7.5 8 3.5l4 4M3 13.5h10" />);
export const BoxIcon = icon(<path d="m8 1.8 5.5 3v6.4L8 14.2l-5.5-3V4.8zM2.5 4.8 8 7.8l5.5-3M8 7.8v6.4" />);
export const BuildIcon = icon(
  <path d="M9.5 4.5a3 3 0 0 1 3.8-2.4L11.5 4l.6 1.4 1.4.6 1.9-1.8A3 3 0 0 1 11 8L5.2 13.8a1.4 1.4 0 0 1-2-2L9 6a3 3 0 0 1 .5-1.5Z" />,
);
export const TagIcon = icon(
  <>
    <path d="M2.5 3.5v4l6.2 6.2a1 1 0 0 0 1.4 0l3.6-3.6a1 1 0 0 0 0-1.4L7.5 2.5h-4a1 1 0 0 0-1 1Z" />
    <path d="M5.3 5.3h.01" />
  </>,
);
export const BellIcon = icon(
  <path d="M4 7a4 4 0 0 1 8 0c0 3.5 1.5 4.5 1.5 4.5h-11S4 10.5 4 7ZM6.6 13.500a1.6 1.6 0 0 0 2.8 0" />,
);
export const KeyIcon = icon(
  <>
    <circle cx="5" cy="11" r="2.7" />
    <path d="M7 9 13.5 2.500M11 5l2 2" />
  </>,
);
export const UsersIcon = icon(
  <>
    <circle cx="6" cy="5.5" r="2.5" />
    <path d="M1.5 13.500a4.5 4.5 0 0 1 9 0M10.5 3.200a2.5 2.5 0 0 1 0 4.600M12 9.500a4.5 4.5 0 0 1 2.5 4" />
  </>,
);
export const ListIcon = icon(<path d="M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01" />);
export const DeviceIcon = icon(<path d="M2.5 3h11v7.500h-11zM5.5 13.500h5M8 10.500v3" />);
export const StartIcon = icon(<path d="M3 13.500v-11M3 3.500h8.500l-2 2.5 2 2.500H3" />);
export const StopIcon = icon(<path d="M5.5 2h5L14 5.500v5L10.5 14h-5L2 10.500v-5zM5 8h6" />);
export const RequestIcon = icon(<path d="M3.5 2.5h9v11h-9zM5.500 8.500l1.700 1.700 3.300-3.700" />);
export const RuleIcon = icon(<path d="M8 2.5v11M4.5 13.500h7M3 4.500h10M3 4.500 1.500 9h3zM13 4.500 11.500 9h3z" />);
export const CalendarIcon = icon(<path d="M2.5 3.500h11v10h-11zM2.5 6.500h11M5.5 2v3M10.5 2v3" />);
export const SlidersIcon = icon(<path d="M2.5 5h6M11.5 5h2M2.5 11h2M7.500 11h6M10 3.500v3M6 9.500v3" />);
export const GlassIcon = icon(<path d="M9 1.800 4 9h4l-1 5.200L12 7H8z" />);
export const SearchIcon = icon(
  <>
    <circle cx="7" cy="7" r="4.5" />
    <path d="m10.5 10.5 3.5 3.5" />
  </>,
);
export const MenuIcon = icon(<path d="M2.5 4.500h11M2.5 8h11M2.5 11.500h11" />);
export const CloseIcon = icon(<path d="m4 4 8 8M12 4l-8 8" />);
export const CopyIcon = icon(<path d="M5.5 5.500h8v8h-8zM10.5 5.500v-3h-8v8h3" />);
export const CheckIcon = icon(<path d="m3 8.5 3.5 3.500L13 4.5" />);
export const LinkOutIcon = icon(<path d="M9.5 2.500h4v4M13.5 2.5 7.5 8.500M11.5 9.500v4h-9v-9h4" />);
export const ChevronIcon = icon(<path d="m4.5 6.5 3.5 3.5 3.5-3.5" />);
export const SunIcon = icon(
  <>
    <circle cx="8" cy="8" r="2.8" />
    <path d="M8 1.500v1.200M8 13.300v1.200M1.5 8h1.200M13.3 8h1.200M3.4 3.400l.9.9M11.7 11.700l.9.9M3.4 12.600l.9-.9M11.7 4.300l.9-.9" />
  </>,
);
export const UserIcon = icon(
  <>
    <circle cx="8" cy="5.3" r="2.8" />
    <path d="M2.8 14a5.2 5.2 0 0 1 10.4 0" />
  </>,
);
