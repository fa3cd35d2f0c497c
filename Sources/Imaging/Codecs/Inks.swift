/// Pictures made for printing.
enum Inks {
  /// Red, green and blue from four inks stored as their inverse, as Adobe does in JPEG: light is
  /// c · k / 255, which is Pillow's rule.
  static func rgb(fromInverted inks: [UInt8]) -> [UInt8] {
    let count = inks.count / 4
    return Destination.array(of: count * 3, isWrittenWhole: true) { pixels in
      for index in 0..<count {
        let black = Int(inks[4 * index + 3])
        for channel in 0..<3 {
          pixels[3 * index + channel] = UInt8((Int(inks[4 * index + channel]) * black + 127) / 255)
        }
      }
    }
  }
}
