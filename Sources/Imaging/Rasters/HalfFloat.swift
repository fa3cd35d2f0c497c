extension Float {
  /// The bits of the nearest number of type float16, of two the even one.
  ///
  /// Swift's own conversion goes through numbers that a processor takes for 0 where it is told to, as it is while
  /// networks run: everything below 6.1e-5 would be 0.
  package var halfBits: UInt16 {
    let sign = UInt16(truncatingIfNeeded: bitPattern >> 16) & 0x8000
    let magnitude = bitPattern & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
    guard magnitude >= 0x3880_0000 else {
      // Below 2⁻¹⁴ in steps of 2⁻²⁴.
      guard magnitude > 0x3300_0000 else { return sign }
      let shift = 126 - magnitude >> 23
      let digits = magnitude & 0x7F_FFFF | 0x80_0000
      let (whole, rest, half) = (
        digits >> shift, digits & (1 << shift - 1), UInt32(1) << (shift - 1)
      )
      return sign | UInt16(whole + (rest > half || rest == half && whole & 1 == 1 ? 1 : 0))
    }
    let rounded = magnitude + 0xFFF + (magnitude >> 13 & 1)
    return sign | (rounded >= 0x4780_0000 ? 0x7C00 : UInt16((rounded - 0x3800_0000) >> 13))
  }
}
