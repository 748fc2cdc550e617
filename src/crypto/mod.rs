//! Software signing and verification behind one seam.
