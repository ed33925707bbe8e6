/** Which bits are still wanted, as the rows of packages and droplets say. */
import type { Store } from "../../store/index.ts";
import { bitsOf } from "../app-droplet.ts";
import type { CloudControllerConfig } from "../config.ts";
import { Bits } from "./store.ts";

export function createBits(store: Store, config: CloudControllerConfig): Bits {
  const { bitsDirectory: folder, maxPackageBytes, maxUnpackedBytes } = config;
  const wanted = async () => {
    const { db } = store;
    const rows = [
      ...(await db.selectFrom("packages").select("data").execute()),
      ...(await db.selectFrom("droplets").select("data").execute()),
    ];
    return new Set(rows.flatMap((row) => bitsOf(row) ?? []));
  };
  return new Bits({ folder, maxPackageBytes, maxUnpackedBytes, wanted });
}
