//! G.722 at 64 kbit/s (ITU-T G.722): 16,000 samples a second, split into two bands, each told in
//! steps of adaptive size. An octet stands for two samples.
//!
//! In: samples or octets. Out: the other. What comes out depends on all that went before, so that a
//! stream has a coder of its own. May import: nothing.

/// One band's predictor and quantizer (G.722 clause 3.5 and 3.6), in the names of the
/// recommendation.
#[derive(Clone, Debug)]
struct Band {
    /// The estimate of the next sample, and the part of it that the zeros make.
    s: i32,
    sz: i32,
    /// Reconstructed signals and partly reconstructed ones, the newest first.
    r: [i32; 2],
    p: [i32; 2],
    /// Coefficients of the poles and of the zeros.
    a: [i32; 2],
    b: [i32; 6],
    /// Quantized differences, the newest first.
    d: [i32; 6],
    /// The scale factor, as a logarithm and as it is.
    nb: i32,
    det: i32,
}

/// By how much these octets widen the steps of the lower band, on the average of a sample. They
/// narrow by a part of 128 of themselves (clause 3.5.3, block LOGSCL), so that of a sound that goes
/// on as it is this is the logarithm of its steps over 128, whatever came before: nothing at all
/// has the narrowest, which are narrowed on.
pub fn widening(octets: &[u8]) -> i32 {
    let by = |octet: &u8| WL[RL42[usize::from(octet >> 2 & 15)]];
    octets.iter().map(by).sum::<i32>() / octets.len().max(1) as i32
}

const LOW_DET: i32 = 32;
const HIGH_DET: i32 = 8;
const LOW_NB_MAX: i32 = 18_432;
const HIGH_NB_MAX: i32 = 22_528;

fn limit(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

impl Band {
    fn new(det: i32) -> Self {
        Self { s: 0, sz: 0, r: [0; 2], p: [0; 2], a: [0; 2], b: [0; 6], d: [0; 6], nb: 0, det }
    }

    /// Adapts the size of the steps: `shift` is 8 in the lower band, 10 in the higher.
    fn rescale(&mut self, by: i32, max: i32, shift: i32) {
        self.nb = (((self.nb * 127) >> 7) + by).clamp(0, max);
        let mantissa = ILB[((self.nb >> 6) & 31) as usize];
        let down = shift - (self.nb >> 11);
        self.det = (if down < 0 { mantissa << -down } else { mantissa >> down }) << 2;
    }

    /// Adapts the predictor to the quantized difference (blocks 4L and 4H).
    fn adapt(&mut self, d: i32) {
        let r = limit(self.s + d);
        let p = limit(self.sz + d);
        let negative = |value: i32| value >> 15;
        let same = |value: i32| negative(p) == negative(value);

        let slope = limit(self.a[0] << 2);
        let slope = if same(self.p[0]) { -slope } else { slope }.min(32_767);
        let step = if same(self.p[1]) { 128 } else { -128 };
        let a2 = ((slope >> 7) + step + ((self.a[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        let step = if same(self.p[0]) { 192 } else { -192 };
        let bound = limit(15_360 - a2);
        let a1 = limit(step + ((self.a[0] * 32_640) >> 15)).clamp(-bound, bound);

        let step = if d == 0 { 0 } else { 128 };
        for (b, before) in self.b.iter_mut().zip(self.d) {
            let step = if negative(before) == negative(d) { step } else { -step };
            *b = limit(step + ((*b * 32_640) >> 15));
        }
        self.d.copy_within(0..5, 1);
        self.d[0] = d;
        (self.r, self.p, self.a) = ([r, self.r[0]], [p, self.p[0]], [a1, a2]);

        let part = |factor: i32, value: i32| (factor * limit(value << 1)) >> 15;
        let poles = limit(part(self.a[0], self.r[0]) + part(self.a[1], self.r[1]));
        self.sz = limit(self.b.iter().zip(self.d).map(|(b, d)| part(*b, d)).sum());
        self.s = limit(poles + self.sz);
    }
}

/// Both bands, and what the filter between them and the samples remembers.
#[derive(Clone, Debug)]
struct Core {
    low: Band,
    high: Band,
    x: [i32; 24],
}

impl Core {
    fn new() -> Self {
        Self { low: Band::new(LOW_DET), high: Band::new(HIGH_DET), x: [0; 24] }
    }

    /// The two sums of the quadrature mirror filter, after two more values have come in.
    fn filter(&mut self, two: [i32; 2]) -> [i32; 2] {
        self.x.copy_within(2.., 0);
        self.x[22..].copy_from_slice(&two);
        let mut sums = [0; 2];
        for (pair, n) in self.x.chunks_exact(2).zip(0..) {
            sums[0] += pair[0] * QMF[n];
            sums[1] += pair[1] * QMF[11 - n];
        }
        sums
    }

    fn adapt_low(&mut self, four: usize) {
        let d = (self.low.det * QM4[four]) >> 15;
        self.low.rescale(WL[RL42[four]], LOW_NB_MAX, 8);
        self.low.adapt(d);
    }

    fn adapt_high(&mut self, two: usize) {
        let d = (self.high.det * QM2[two]) >> 15;
        self.high.rescale(WH[RH2[two]], HIGH_NB_MAX, 10);
        self.high.adapt(d);
    }
}

#[derive(Clone, Debug)]
pub struct Encoder(Core);

impl Default for Encoder {
    fn default() -> Self {
        Self(Core::new())
    }
}

impl Encoder {
    /// An octet for each pair of samples; an odd one at the end is left out.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let octets = samples.chunks_exact(2).map(|pair| self.octet([pair[0], pair[1]]));
        out.extend(octets);
    }

    fn octet(&mut self, pair: [i16; 2]) -> u8 {
        let [odd, even] = self.0.filter(pair.map(i32::from));
        self.code([(even + odd) >> 14, (even - odd) >> 14])
    }

    /// A sample of each band.
    fn code(&mut self, [low, high]: [i32; 2]) -> u8 {
        let core = &mut self.0;
        let off = limit(low - core.low.s);
        let size = if off < 0 { -(off + 1) } else { off };
        let steps = Q6[1..30].iter();
        let step = 1 + steps.take_while(|step| size >= (*step * core.low.det) >> 12).count();
        let six = if off < 0 { ILN[step] } else { ILP[step] };
        core.adapt_low(usize::from(six >> 2));

        let off = limit(high - core.high.s);
        let size = if off < 0 { -(off + 1) } else { off };
        let far = size >= (564 * core.high.det) >> 12;
        let two = match (off < 0, far) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        core.adapt_high(usize::from(two));
        two << 6 | six
    }
}

#[derive(Clone, Debug)]
pub struct Decoder(Core);

impl Default for Decoder {
    fn default() -> Self {
        Self(Core::new())
    }
}

impl Decoder {
    /// Two samples for each octet.
    pub fn decode(&mut self, octets: &[u8], out: &mut Vec<i16>) {
        out.extend(octets.iter().flat_map(|octet| self.pair(*octet)));
    }

    fn pair(&mut self, octet: u8) -> [i16; 2] {
        let [low, high] = self.bands(octet);
        let [second, first] = self.0.filter([low + high, low - high]);
        [first, second].map(|sum| limit(sum >> 11) as i16)
    }

    fn bands(&mut self, octet: u8) -> [i32; 2] {
        let core = &mut self.0;
        let (six, two) = (usize::from(octet & 0x3f), usize::from(octet >> 6));
        let band = |value: i32| value.clamp(-16_384, 16_383);
        let low = band(core.low.s + ((core.low.det * QM6[six]) >> 15));
        core.adapt_low(six >> 2);
        let high = band(core.high.s + ((core.high.det * QM2[two]) >> 15));
        core.adapt_high(two);
        [low, high]
    }
}

/// Tables of the recommendation, under its names.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940,
    1_023, 1_121, 1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
const ILN: [u8; 31] = [
    0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,
    10, 9, 8, 7, 6, 5, 4,
];
const ILP: [u8; 31] = [
    0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39,
    38, 37, 36, 35, 34, 33, 32,
];
const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1_198, 3_042];
const RL42: [usize; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const WH: [i32; 3] = [0, -214, 798];
const RH2: [usize; 4] = [2, 1, 2, 1];
const ILB: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656,
    2_714, 2_774, 2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520,
    3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];
const QM2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
const QM4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288,
    4_240, 2_584, 1_200, 0,
];
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192,
    -10_232, -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008,
    -3_576, -3_168, -2_776, -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008,
    16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000,
    5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432,
    136, -432, -136,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum of a file of words (IEEE 802.3), as the digital test sequences are published
    /// with theirs.
    fn crc_32(words: &[u16]) -> u32 {
        let octet = |crc: u32, octet: u8| {
            let bit = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
            (0..8).fold(crc ^ u32::from(octet), bit)
        };
        !words.iter().flat_map(|word| word.to_le_bytes()).fold(!0, octet)
    }

    /// Sixteen words with their last bit set, which reset a coder, before and behind.
    fn between_resets(words: impl Iterator<Item = u16>) -> Vec<u16> {
        let reset = || std::iter::repeat_n(1, 16);
        reset().chain(words).chain(reset()).collect()
    }

    /// Sequence 2 of G.722 appendix II, which drives every limit there is: both bands have the same
    /// samples, past the filters, at full scale to and fro.
    fn to_and_fro() -> Vec<u16> {
        let regular = [0x8000, 0x7ffe].into_iter().cycle().take(639);
        let irregular = [0x8000, 0x7ffe, 0x8000].into_iter().cycle().take(126);
        between_resets(regular.chain([0, 0xb1e0, 0xc000]).chain(irregular))
    }

    /// Words of a sequence, each a sample or a code and, in its last bit, whether it is a reset.
    fn said(sequence: &[u16]) -> impl Iterator<Item = u16> {
        sequence.iter().copied().filter(|word| word & 1 == 0)
    }

    #[test]
    fn what_the_recommendations_test_sequence_becomes_is_what_it_says_bit_by_bit() {
        let sent = to_and_fro();
        assert_eq!(crc_32(&sent), 0x2d60_4685, "T1C2.XMT");
        let mut encoder = Encoder::default();
        let code = |word: u16| encoder.code([i32::from(word as i16 >> 1); 2]);
        let codes: Vec<u8> = said(&sent).map(code).collect();
        let coded = between_resets(codes.iter().map(|code| u16::from(*code) << 8));
        assert_eq!(crc_32(&coded), 0x344e_a5d0, "T2R2.COD");
        let mut decoder = Decoder::default();
        let bands: Vec<[i32; 2]> = codes.into_iter().map(|code| decoder.bands(code)).collect();
        for (band, published) in [0xaf00_f31f, 0x5330_ae2e].into_iter().enumerate() {
            let words = bands.iter().map(|bands| (bands[band] << 1) as u16);
            assert_eq!(crc_32(&between_resets(words)), published, "T3L2.RC1, T3H2.RC0: {band}");
        }
    }
}
