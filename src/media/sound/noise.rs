//! Comfort noise (RFC 3389): what a pause sounds like whose sender is silent meanwhile. Of its
//! description the level alone is obeyed.

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    loudness: f32,
    dice: u32,
}

impl Noise {
    /// Section 3.1: the first octet is the level, in dB below overload. `None`: it says nothing.
    pub fn told(payload: &[u8]) -> Option<Self> {
        let level = f32::from(payload.first()? & 0x7f);
        Some(Self { loudness: 32_768.0 * 10f32.powf(-level / 20.0), dice: 1 })
    }

    pub fn sample(&mut self) -> i16 {
        // Even odds from -1 to 1 have a power of a third.
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let odds = (self.dice >> 8) as f32 / (1 << 23) as f32 - 1.0;
        (odds * self.loudness * 3f32.sqrt()) as i16
    }
}
