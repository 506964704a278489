//! Building: nothing that is given can add a line, and what is copied stays as it was.
