//! SIP messages, RFC 3261 section 7: bytes to a borrowed view and back.
