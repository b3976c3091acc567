'use strict';

// Swagger UI carries a dark palette under html.dark-mode and leaves the choice to the page: follow the system.
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const followSystem = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', followSystem);
followSystem();

SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  // The public validator would be told the address of this server.
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  // Schemas stand beside each operation already; the list of all of them stays folded.
  defaultModelsExpandDepth: 0,
});
