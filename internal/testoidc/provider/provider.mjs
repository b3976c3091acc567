// An OpenID Connect provider for tests: provider.mjs PORT KEY_ID REDIRECT_URI [pages], with a new key each time it starts. The client
// dashboard gets tokens for machines (client credentials), as JWTs for the resource that is asked for. The client browser signs its only
// user in without a question or, with `pages`, any user, with the provider's own pages for login and consent.
// POST /control?NAME=VALUE changes what the provider does.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, kid, redirect, pages] = process.argv.slice(2);
const redirectUri = redirect || 'http://127.0.0.1/unused';
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const issuer = `http://127.0.0.1:${port}`;
const user = { sub: 'person-1', name: 'Ada Lovelace', email: 'ada@example.com', org_id: 'organisation-1', org_slug: 'acme', org_role: 'org:admin' };
const control = {};

const provider = new Provider(issuer, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
  clients: [{
    client_id: 'dashboard', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    token_endpoint_auth_method: 'client_secret_post',
  }, {
    client_id: 'browser', client_secret: 'secret', grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    redirect_uris: [redirectUri], post_logout_redirect_uris: [new URL('/app/sign-in', redirectUri).href], token_endpoint_auth_method: 'client_secret_basic',
  }],
  pkce: { required: (_ctx, client) => client.clientId === 'browser' },
  conformIdTokenClaims: false,
  claims: { openid: ['sub'], profile: ['name', 'org_id', 'org_slug', 'org_role'], email: ['email'] },
  findAccount: (ctx, id) => {
    const refuses = control.refuse === '1' && ctx.oidc?.body?.grant_type === 'refresh_token';
    return refuses ? undefined : { accountId: id, claims: () => ({ ...user, ...control, sub: id }) };
  },
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  ...(pages ? {} : { interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` } }),
  cookies: { keys: ['test'] },
  features: {
    devInteractions: { enabled: Boolean(pages) },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_ctx, resource) => ({ scope: 'api', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
    },
  },
  extraTokenClaims: () => ({ sub: 'person-1', org_id: 'organisation-1', org_slug: 'acme', org_role: 'org:admin' }),
});
provider.use(async (ctx, next) => {
  if (ctx.path === '/control') {
    Object.assign(control, Object.fromEntries(new URLSearchParams(ctx.querystring)));
    ctx.status = 204;
    return;
  }
  if (pages || !ctx.path.startsWith('/interaction/')) {
    await next();
    return;
  }
  if (control.decline === '1') {
    await provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied' });
    ctx.respond = false;
    return;
  }
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const accountId = control.sub ?? user.sub;
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId }, consent: { grantId: await grant.save() } });
  ctx.respond = false;
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
