import { type Client, type ClientOptions, createClient } from "./client.js";
import * as operations from "./generated/sdk.gen.js";

type Operations = typeof operations;
type Options<Name extends keyof Operations> = Omit<Parameters<Operations[Name]>[0], "client">;

/** Every operation as a method without the client: `versioner.listProducts()` is `listProducts({ client })`. */
export type Versioner = {
  readonly [Name in keyof Operations]: (
    ...options: Record<never, never> extends Options<Name> ? [options?: Options<Name>] : [options: Options<Name>]
  ) => ReturnType<Operations[Name]>;
};

/**
 * Returns an object with a method for each operation. A bundle with it contains all operations; with the functions
 * and {@link createClient}, it contains only those that it calls.
 */
export function createVersioner(options: ClientOptions = {}): Versioner {
  const client = createClient(options);
  const methods = Object.entries(operations).map(([name, operation]) => {
    const call = operation as (options: { client: Client }) => unknown;
    return [name, (given?: object) => call({ ...given, client })];
  });
  return Object.fromEntries(methods) as Versioner;
}
