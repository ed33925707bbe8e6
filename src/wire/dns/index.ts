/**
 * DNS messages as bytes: strict reading of queries, compressed and truncated writing of responses, frames for TCP.
 * No sockets, no clock, no knowledge of zones (see dns/).
 */
export { CLASS, EDNS_OPTION, EXTENDED_ERROR, MAX_MESSAGE_BYTES, OPCODE, RCODE, TYPE } from "./constants.ts";
export { FrameReader, frameMessage } from "./frames.ts";
export { decodeMessage, encodeQuery } from "./message.ts";
export type { Message, MessageRecord } from "./message.ts";
export { encodeName } from "./name.ts";
export { decodeQuery } from "./query.ts";
export type { DecodedQuery, Edns, EdnsOption, Query, QueryFrame, Question } from "./query.ts";
export { addressData, extendedErrorData, hinfoData, soaData } from "./record-data.ts";
export { emptyResponse, encodeResponse, udpLimit } from "./response.ts";
export type { ResourceRecord, Response, ResponseLimits } from "./response.ts";
