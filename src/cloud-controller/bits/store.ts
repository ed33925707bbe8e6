/**
 * Uploads and what was unpacked from them, by what they hold: the same bits are there once, whoever pushed them.
 *
 *   incoming/   uploads on their way; emptied at the start
 *   packages/   <sha256>.zip
 *   droplets/   <sha256>/   the package of that name, unpacked; instances run in copies of it
 */
import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { access, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { uploadTooLarge } from "../../kernel/errors/bits.ts";
import type { ZipLimits } from "../../wire/zip/index.ts";
import type { PartSink } from "./multipart.ts";
import { readArchive, unpack } from "./unpack.ts";

const MAX_ENTRIES = 65_534;

export interface BitsOptions {
  readonly folder: string;
  readonly maxPackageBytes: number;
  readonly maxUnpackedBytes: number;
  /** Every hash that some row still names. */
  readonly wanted: () => Promise<ReadonlySet<string>>;
}

/** An upload that arrives; `keep` or `drop` ends it. */
export interface Incoming extends PartSink {
  /**
   * Keeps it under its hash while `work` writes the row that names it.
   * @throws zipInvalid, and what `work` throws
   */
  keep<T>(work: (sha256: string) => Promise<T>): Promise<T>;
  drop(): Promise<void>;
}

export class Bits {
  readonly #options: BitsOptions;
  readonly #limits: ZipLimits;
  /** Hashes that no row names yet, because the work that will name them is not done. */
  readonly #inUse = new Map<string, number>();
  readonly #unpacking = new Map<string, Promise<string>>();
  #sweeping: Promise<void> = Promise.resolve();

  constructor(options: BitsOptions) {
    this.#options = options;
    this.#limits = { maxEntries: MAX_ENTRIES, maxBytes: options.maxUnpackedBytes };
  }

  /** Removes what a process that was killed left behind. */
  async open(): Promise<void> {
    await rm(this.#at("incoming"), { recursive: true, force: true });
    for (const name of ["incoming", "packages", "droplets"]) {
      await mkdir(this.#at(name), { recursive: true, mode: 0o700 });
    }
    await this.sweep();
  }

  receive(): Incoming {
    const path = this.#at("incoming", randomUUID());
    const file = createWriteStream(path, { mode: 0o600 });
    // Whoever writes or closes is told; an error nobody waits for must not end the process.
    file.on("error", () => {});
    const hash = createHash("sha256");
    let bytes = 0;
    return {
      write: async (chunk) => {
        bytes += chunk.length;
        const { maxPackageBytes } = this.#options;
        if (bytes > maxPackageBytes) throw uploadTooLarge({ maxBytes: maxPackageBytes });
        hash.update(chunk);
        await new Promise<void>((resolve, reject) =>
          file.write(chunk, (error) => (error ? reject(error) : resolve())),
        );
      },
      end: async () => {
        file.end();
        await finished(file);
      },
      keep: async (work) => {
        await readArchive(path, this.#limits);
        const sha256 = hash.digest("hex");
        return this.using(sha256, async () => {
          await rename(path, this.packagePath(sha256));
          return work(sha256);
        });
      },
      drop: async () => {
        file.destroy();
        // It may be on its way to be made; removed before that, it would stay.
        await finished(file).catch(() => {});
        await rm(path, { force: true });
      },
    };
  }

  packagePath(sha256: string): string {
    return this.#at("packages", `${sha256}.zip`);
  }

  dropletPath(sha256: string): string {
    return this.#at("droplets", sha256);
  }

  /** Keeps the bits of a hash from being swept while `work` runs, after which a row names them. */
  async using<T>(sha256: string, work: () => Promise<T>): Promise<T> {
    this.#inUse.set(sha256, (this.#inUse.get(sha256) ?? 0) + 1);
    try {
      await this.#sweeping;
      return await work();
    } finally {
      const left = (this.#inUse.get(sha256) ?? 1) - 1;
      if (left === 0) this.#inUse.delete(sha256);
      else this.#inUse.set(sha256, left);
    }
  }

  /**
   * The package unpacked; at once when somebody did it before.
   * @throws zipInvalid
   */
  stage(sha256: string): Promise<string> {
    const running = this.#unpacking.get(sha256);
    if (running !== undefined) return running;
    const work = this.#stage(sha256).finally(() => this.#unpacking.delete(sha256));
    this.#unpacking.set(sha256, work);
    return work;
  }

  async #stage(sha256: string): Promise<string> {
    const folder = this.dropletPath(sha256);
    if (await exists(folder)) return folder;
    // Under another name until it is complete: what is there is whole.
    const unfinished = this.#at("incoming", randomUUID());
    try {
      await mkdir(unfinished, { mode: 0o700 });
      await unpack(this.packagePath(sha256), unfinished, this.#limits);
      await rename(unfinished, folder);
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
    return folder;
  }

  /** Removes what no row names. Sweeps run one after the other. */
  sweep(): Promise<void> {
    const work = this.#sweeping.then(() => this.#sweep());
    this.#sweeping = work.catch(() => {});
    return work;
  }

  async #sweep(): Promise<void> {
    const stored = [
      ...(await readdir(this.#at("packages"))).map((name) => join("packages", name)),
      ...(await readdir(this.#at("droplets"))).map((name) => join("droplets", name)),
    ];
    if (stored.length === 0) return;
    // Listed before the rows are asked: what arrives meanwhile is not on the list.
    const wanted = await this.#options.wanted();
    for (const name of stored) {
      const [, sha256 = ""] = /\/([^/.]+)(?:\.zip)?$/.exec(name) ?? [];
      if (wanted.has(sha256) || this.#inUse.has(sha256)) continue;
      await rm(this.#at(name), { recursive: true, force: true });
    }
  }

  #at(...names: string[]): string {
    return join(this.#options.folder, ...names);
  }
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
