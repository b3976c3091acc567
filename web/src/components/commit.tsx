import { CopyButton } from "./copy-button";

/** The identifier of a commit, abbreviated, with a button that copies all of it. */
export function Commit({ sha }: { sha: string }) {
  return (
    <>
      <bdi title={sha} className="font-mono text-sm">
        {sha.slice(0, 10)}
      </bdi>
      <CopyButton text={sha} label="Copy the commit" iconOnly />
    </>
  );
}
