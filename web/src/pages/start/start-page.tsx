export { GetStarted as default } from "./get-started";
