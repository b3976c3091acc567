import { runShard } from "./shards.js";

await runShard(1);
