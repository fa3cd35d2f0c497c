import Configuration
import Datasets
import Imaging

extension Transform {
  /// The transform that a section describes: its name is a key, with the main setting as value.
  ///
  /// ```yaml
  /// - randomCrop: 320x320
  ///   maxClassShare: 0.75
  /// ```
  /// - Throws: `ConfigurationError` for a name that does not exist, or for settings of a wrong type.
  init(_ section: Section) throws {
    let readers: [String: (Section) throws -> Transform] = [
      "resize": { .resize(try $0.area("resize"), antialias: try $0.antialias) },
      "resizeToFit": { .resizeToFit(try $0.area("resizeToFit"), antialias: try $0.antialias) },
      "resizeShorterSide": {
        .resizeShorterSide(try $0.int("resizeShorterSide"), antialias: try $0.antialias)
      },
      "randomResize": {
        .randomResize(
          ratio: try $0.range("randomResize"), box: $0.has("box") ? try $0.area("box") : nil,
          antialias: try $0.antialias)
      },
      "randomCrop": {
        .randomCrop(
          try $0.area("randomCrop"), maxClassShare: try $0.double("maxClassShare", default: 1))
      },
      "centerCrop": { .centerCrop(try $0.area("centerCrop")) },
      "pad": { .pad(to: try $0.area("pad"), fill: try $0.fill) },
      "padToMultiple": { .padToMultiple(of: try $0.int("padToMultiple"), fill: try $0.fill) },
      "horizontalFlip": { .horizontalFlip(probability: try $0.double("horizontalFlip")) },
      "verticalFlip": { .verticalFlip(probability: try $0.double("verticalFlip")) },
      "rotation": {
        .rotation(
          degrees: try $0.range("rotation"),
          probability: try $0.double("probability", default: 0.5), fill: try $0.fill)
      },
      "photometricDistortion": {
        let standard = PhotometricDistortion()
        let inner = try $0.settings("photometricDistortion")
        return .photometricDistortion(
          PhotometricDistortion(
            brightness: try inner?.double("brightness", default: standard.brightness)
              ?? standard.brightness,
            contrast: try inner?.range("contrast", default: standard.contrast)
              ?? standard.contrast,
            saturation: try inner?.range("saturation", default: standard.saturation)
              ?? standard.saturation,
            hue: try inner?.double("hue", default: standard.hue) ?? standard.hue))
      },
      "colorJitter": {
        let inner = try $0.section("colorJitter")
        return .colorJitter(
          ColorJitter(
            brightness: try inner.double("brightness", default: 0),
            contrast: try inner.double("contrast", default: 0),
            saturation: try inner.double("saturation", default: 0),
            hue: try inner.double("hue", default: 0)))
      },
    ]
    let names = section.keys.filter { readers[$0] != nil }
    guard let name = names.first, let read = readers[name] else {
      throw ConfigurationError.unknownKey(
        place: section.place, key: section.keys.first ?? "", known: readers.keys.sorted())
    }
    guard names.count == 1 else {
      throw section.invalid(names[1], "here too", expected: "one transform in an entry of the list")
    }
    self = try read(section)
  }
}

extension Section {
  fileprivate func area(_ key: String) throws -> Size {
    let size = try size(key)
    return Size(width: size.width, height: size.height)
  }

  fileprivate func range(
    _ key: String, default fallback: ClosedRange<Double>? = nil
  ) throws -> ClosedRange<Double> {
    if let fallback, !has(key) { return fallback }
    let bounds = try doubles(key)
    guard bounds.count == 2, bounds[0] <= bounds[1] else {
      throw invalid(key, "\(bounds)", expected: "a lower and an upper bound, such as [0.5, 2.0]")
    }
    return bounds[0]...bounds[1]
  }

  /// The settings of a transform that may just be turned on: `photometricDistortion: true`.
  fileprivate func settings(_ key: String) throws -> Section? {
    if let on = try? bool(key) {
      guard on else {
        throw invalid(key, "false", expected: "true, or no entry at all")
      }
      return nil
    }
    return try section(key)
  }

  fileprivate var antialias: Bool { get throws { try bool("antialias", default: true) } }

  fileprivate var fill: Transform.Fill {
    get throws {
      let text = try string("fill", default: "mean")
      switch text {
      case "mean": return .mean
      case "black": return .black
      default: throw invalid("fill", "'\(text)'", expected: "mean or black")
      }
    }
  }
}
