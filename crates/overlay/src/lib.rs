//! Finding: the vocabulary and mechanisms that the overlays share.
