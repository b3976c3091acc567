'use strict';

// ReDoc keeps its layout in a cookie at "/", which would ride on every API request. This page needs no cookie, and
// with the accessor gone its scripts cannot read the session of the browser application either.
Object.defineProperty(document, 'cookie', { get: () => '', set: () => {} });
