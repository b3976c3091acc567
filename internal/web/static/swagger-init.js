'use strict';

// Swagger UI carries a dark palette under html.dark-mode and leaves the choice to the page: follow the system.
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const followSystem = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', followSystem);
followSystem();

// The chapters of the introduction are folded, so that the operations are visible at once.
const FoldedIntroduction = () => ({
  wrapComponents: {
    info: (Info, { React, getComponent }) => (props) => {
      const [opening, ...chapters] = props.info.get('description', '').split(/\n(?=## )/);
      const titles = chapters.map((chapter) => chapter.split('\n', 1)[0].replace('## ', ''));
      return React.createElement(
        React.Fragment,
        null,
        React.createElement(Info, { ...props, info: props.info.set('description', opening) }),
        React.createElement(
          'details',
          { className: 'versioner-more info' },
          React.createElement('summary', null, titles.join(' · ')),
          React.createElement(getComponent('Markdown', true), { source: chapters.join('\n') }),
        ),
      );
    },
  },
});

// Forms are filled in with examples. For optional parameters these would be an invalid cursor or a repeated Idempotency-Key: their
// examples are shown in the description instead.
const describeOptionalExamples = (specification) => {
  const shared = Object.values(specification.components?.parameters ?? {});
  const paths = Object.values(specification.paths ?? {});
  const own = paths.flatMap((path) => [path, ...Object.values(path)]).flatMap((holder) => holder.parameters ?? []);
  for (const parameter of [...shared, ...own]) {
    if (parameter.required || parameter.example === undefined) continue;
    if (parameter.schema?.default === undefined) parameter.description += ` For example \`${parameter.example}\`.`;
    delete parameter.example;
  }
  return specification;
};
const UnfilledForms = () => ({
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (update) => (specification) => update(describeOptionalExamples(specification)) } },
  },
});

// The dialog that asks for credentials begins at its first field, ends with Escape, and gives the focus back.
const KeyboardDialog = () => ({
  wrapComponents: {
    authorizationPopup: (Popup, { React, authActions }) => (props) => {
      const [opener] = React.useState(() => document.activeElement);
      React.useEffect(() => {
        const dialog = document.querySelector('.dialog-ux .modal-ux');
        dialog.setAttribute('role', 'dialog');
        dialog.setAttribute('aria-label', dialog.querySelector('h3').textContent);
        dialog.querySelector('input')?.focus();
        const leave = (event) => event.key === 'Escape' && authActions.showDefinitions(false);
        document.addEventListener('keydown', leave);
        return () => {
          document.removeEventListener('keydown', leave);
          opener.focus();
        };
      }, []);
      return React.createElement(Popup, props);
    },
  },
});

// Labels for screen readers where the tool has none, and keyboard access to scrollable elements.
const names = [
  ['#servers', 'Server'],
  ['.examples-select-element', 'Example'],
  ['.body-param__text', 'Request body'],
  ['.content-type', 'Media type'],
  ['.close-modal', 'Close'],
  ['.auth-btn-wrapper [aria-label="Apply credentials"]', 'Authorize'],
];
const nameAndReach = () => {
  for (const [selector, name] of names) {
    for (const element of document.querySelectorAll(selector)) element.setAttribute('aria-label', name);
  }
  for (const element of document.querySelectorAll('.microlight:not([tabindex])')) element.tabIndex = 0;
};
new MutationObserver(nameAndReach).observe(document.getElementById('swagger-ui'), { childList: true, subtree: true });

SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  plugins: [FoldedIntroduction, UnfilledForms, KeyboardDialog],
  // The public validator would receive the address of this server.
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  // Schemas stand beside each operation already; the list of all of them stays folded.
  defaultModelsExpandDepth: 0,
});
