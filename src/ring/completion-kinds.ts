/** What a completion is of: the upper half of its `user_data`. The lower half is a place, of a socket or of an acceptor. */
export const RECEIVE = 0;
export const SEND = 1;
export const CANCEL = 2;
export const ACCEPT = 3;
export const CLOSE = 4;
export const WRITABLE = 5;
