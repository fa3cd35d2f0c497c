extension LabelImage {
  /// Labels in three channels of 8 bits: what their colours mean in a table, or without one the
  /// values of channels that are equal everywhere.
  ///
  /// - Parameter found: What the file is, for the message.
  /// - Throws: ``ImageError`` for a colour that is not listed, or colours without a table.
  init(_ image: Image, _ colors: [Color: UInt16]?, found: String, _ file: String) throws {
    if let colors {
      self = try LabelImage(image, colors, file)
    } else if let values = Self.values(ofEqual: image.pixels, channels: 3) {
      self.init(width: image.width, height: image.height, values: values)
    } else {
      throw ImageError.notLabels(file: file, found: found, colors: image.firstColors(4))
    }
  }

  /// One value a pixel from interleaved channels, the first three of which are equal everywhere.
  static func values<Sample: FixedWidthInteger>(
    ofEqual samples: [Sample], channels: Int
  ) -> [UInt16]? {
    var isEqual = true
    let values: [UInt16] = Destination.array(of: samples.count / channels, isWrittenWhole: true) {
      for index in 0..<$0.count {
        let at = index * channels
        isEqual =
          isEqual && samples[at] == samples[at + 1] && samples[at] == samples[at + 2]
        $0[index] = UInt16(truncatingIfNeeded: samples[at])
      }
    }
    return isEqual ? values : nil
  }

  /// Looks the colours of a picture up in a table.
  init(_ image: Image, _ colors: [Color: UInt16], _ file: String) throws {
    var values = [UInt16](repeating: 0, count: image.width * image.height)
    var last: (color: Color, value: UInt16)?
    for index in values.indices {
      let color = image.color(index)
      if let last, last.color == color {
        values[index] = last.value
        continue
      }
      guard let value = colors[color] else {
        throw ImageError.unknownColor(
          file: file, x: index % image.width, y: index / image.width, color: color)
      }
      values[index] = value
      last = (color, value)
    }
    self.init(width: image.width, height: image.height, values: values)
  }
}

extension Image {
  /// The colour of a pixel of a picture in RGB, in reading order.
  fileprivate func color(_ index: Int) -> Color {
    Color(pixels[3 * index], pixels[3 * index + 1], pixels[3 * index + 2])
  }

  /// The first different colours in reading order.
  fileprivate func firstColors(_ count: Int) -> [Color] {
    var colors: [Color] = []
    for index in 0..<width * height where colors.last != color(index) {
      if !colors.contains(color(index)) { colors.append(color(index)) }
      if colors.count == count { break }
    }
    return colors
  }

  /// The picture in RGB of a picture with opacity, if it is opaque everywhere.
  var opaque: Image? {
    guard channels == 4 else { return self }
    return stride(from: 3, to: pixels.count, by: 4).allSatisfy { pixels[$0] == 255 } ? rgb : nil
  }
}
