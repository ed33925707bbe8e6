/** What is wrong with an upload. The user sees the sentences as the error of a package or of a request. */
import { defineError } from "./define.ts";

export const zipInvalid = defineError<{ reason: string }>({
  code: "zip_invalid",
  source: "client",
  retry: "never",
  status: 422,
  explain: (d) => `the upload is no zip file that can be unpacked: ${d.reason}`,
});

export const multipartInvalid = defineError<{ reason: string }>({
  code: "multipart_invalid",
  source: "client",
  retry: "never",
  status: 400,
  explain: (d) => `the body is no multipart form: ${d.reason}`,
});

export const uploadTooLarge = defineError<{ maxBytes: number }>({
  code: "upload_too_large",
  source: "client",
  retry: "never",
  status: 413,
  explain: (d) =>
    `the upload is larger than ${d.maxBytes} bytes; leave files out with .cfignore, or ask the operator to raise cloud-controller.max_package_size`,
});
