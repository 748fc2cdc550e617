//! Tests of what only this store promises.
