/// What is done with the orientation that a file notes.
public enum ImageOrientation: String, Sendable, CaseIterable {
  /// The picture is turned and mirrored as the file says, as viewers and OpenCV show it.
  case applied
  /// The pixels stay where they are stored.
  case stored
}

/// How a camera was held: the values 1 to 8 of EXIF's and TIFF's tag 0x0112.
struct Orientation {
  let value: Int

  /// Whether upright columns are stored rows.
  var swapsSides: Bool { value >= 5 }

  /// The orientation of that number; a number that stands for none is 1.
  init(_ value: Int) { self.value = (1...8).contains(value) ? value : 1 }

  /// The size that a picture stored at `size` has when it is upright.
  func upright(_ size: Size) -> Size {
    swapsSides ? Size(width: size.height, height: size.width) : size
  }

  /// The orientation in EXIF data, which may begin with its name; nil if there is none.
  static func value(exif data: ArraySlice<UInt8>) -> Int? {
    let name = Array("Exif\0\0".utf8)
    let tiff = data.starts(with: name) ? data.dropFirst(name.count) : data
    guard tiff.count >= 8 else { return nil }
    let isLittle = tiff[tiff.startIndex] == 0x49
    func number(_ offset: Int, _ count: Int) -> Int? {
      guard offset >= 0, offset + count <= tiff.count else { return nil }
      let part = tiff[tiff.startIndex + offset..<tiff.startIndex + offset + count]
      return (isLittle ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let entries = number(directory, 2) else { return nil }
    for index in 0..<entries {
      let entry = directory + 2 + 12 * index
      guard let tag = number(entry, 2) else { return nil }
      if tag == 0x0112, let value = number(entry + 8, 2), (1...8).contains(value) { return value }
    }
    return nil
  }

  /// The picture as it was seen.
  func upright(_ image: Image) -> Image {
    guard value > 1 else { return image }
    let (width, height, channels) = (image.width, image.height, image.channels)
    let size = upright(image.size)
    var pixels = [UInt8](repeating: 0, count: image.pixels.count)
    for y in 0..<size.height {
      for x in 0..<size.width {
        let (sx, sy): (Int, Int) =
          switch value {
          case 2: (width - 1 - x, y)
          case 3: (width - 1 - x, height - 1 - y)
          case 4: (x, height - 1 - y)
          case 5: (y, x)
          case 6: (y, height - 1 - x)
          case 7: (width - 1 - y, height - 1 - x)
          case 8: (width - 1 - y, x)
          default: (x, y)
          }
        let (to, from) = ((y * size.width + x) * channels, (sy * width + sx) * channels)
        for channel in 0..<channels { pixels[to + channel] = image.pixels[from + channel] }
      }
    }
    return Image(width: size.width, height: size.height, channels: channels, pixels: pixels)
  }
}
