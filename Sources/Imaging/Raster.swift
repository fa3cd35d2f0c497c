/// An image's samples as sensors give them: any number of bands, interleaved and row-major (H, W, bands).
///
/// Pictures for people are ``Image``s; what a network reads is a raster.
public struct Raster: Sendable, Equatable {
  /// The samples, `width * height * bands` of them, of one type.
  public enum Samples: Sendable, Equatable {
    case uint8([UInt8])
    case uint16([UInt16])
    case float([Float])
  }

  /// The number of columns and rows.
  public let size: Size
  /// The number of samples of a pixel.
  public let bands: Int
  /// The samples.
  public let samples: Samples

  /// A raster of these samples, whose count must be `size.width * size.height * bands`.
  public init(size: Size, bands: Int, _ samples: Samples) {
    let count =
      switch samples {
      case .uint8(let values): values.count
      case .uint16(let values): values.count
      case .float(let values): values.count
      }
    precondition(count == size.width * size.height * bands, "samples do not fill the raster")
    (self.size, self.bands, self.samples) = (size, bands, samples)
  }
}

extension Image {
  /// The samples that a network sees: the levels, or the picture's; no copy is made.
  public var raster: Raster {
    levels?.raster ?? Raster(size: size, bands: channels, .uint8(pixels))
  }

  /// The bands that a network sees.
  public var bands: Int { levels?.bands ?? channels }
}
