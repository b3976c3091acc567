// An OpenID Connect provider for tests: provider.mjs PORT KEY_ID, with a new key each time it starts. Its tokens are for
// machines (client credentials), as JWTs for the resource that is asked for, with an organisation and a role.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, kid] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
  clients: [{
    client_id: 'dashboard', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    token_endpoint_auth_method: 'client_secret_post',
  }],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({ scope: 'api', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
    },
  },
  extraTokenClaims: () => ({ sub: 'person-1', org_id: 'organisation-1', org_slug: 'acme', org_role: 'org:admin' }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
