'use strict';

// ReDoc keeps its layout in a cookie at "/", which would ride on every API request. This page needs no cookie, and
// with the accessor gone its scripts cannot read the session of the browser application either.
Object.defineProperty(document, 'cookie', { get: () => '', set: () => {} });

// ReDoc reads the fragment as an operation's name, so the skip link must not put one there.
document.querySelector('.versioner-skip').addEventListener('click', (event) => {
  event.preventDefault();
  const content = document.querySelector('main');
  content.tabIndex = -1;
  content.focus();
});

// The field that opens the search is a box for the mouse: let the keyboard reach it too. ReDoc draws it when it has read
// the specification, and again whenever the width changes its layout.
const searchField = '[data-testid="search-trigger"]';
new MutationObserver(() => {
  for (const field of document.querySelectorAll(`${searchField}:not([role])`)) {
    field.setAttribute('role', 'button');
    field.tabIndex = 0;
  }
}).observe(document.body, { childList: true, subtree: true });
document.addEventListener('keydown', (event) => {
  if (event.target.matches(searchField) && (event.key === 'Enter' || event.key === ' ')) {
    event.preventDefault();
    event.target.click();
  }
});
