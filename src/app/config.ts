/** The configuration of `viaduct up`: its presets, the file, the environment and the flags, composed and checked. */
import { join } from "node:path";
import { type ConfigSources, type LoadedConfig, loadConfig } from "../kernel/index.ts";
import { readConfigFile } from "./config-file.ts";
import { allSections } from "./sections.ts";

export interface RunOptions {
  /** Absolute path of the YAML file; undefined runs on defaults. */
  readonly configPath: string | undefined;
  readonly dataDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `{ "router.port": "8081" }` */
  readonly flags: Readonly<Record<string, string>>;
}

/** Roles of one process reach each other without fixed ports, and nothing listens beyond this machine. */
function presetsOfUp(dataDirectory: string): NonNullable<ConfigSources["presets"]> {
  return {
    origin: "viaduct up",
    values: {
      "router.host": "127.0.0.1",
      "router.access_log": join(dataDirectory, "logs", "access.log"),
      "cloud-controller.local_lifecycle": true,
      "cloud-controller.bits_directory": join(dataDirectory, "bits"),
      "routing-api.port": 0,
      "routing-api.warm_up": "0s",
    },
  };
}

/** @throws configInvalid with every problem, configFileUnreadable */
export function loadAppConfig(options: RunOptions): LoadedConfig {
  const { configPath, dataDirectory, environment, flags } = options;
  return loadConfig(allSections, {
    presets: presetsOfUp(dataDirectory),
    file: configPath === undefined ? undefined : { path: configPath, text: readConfigFile(configPath) },
    environment,
    flags,
  });
}
