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
    let readers = Self.readers
    let names = section.keys.filter { readers[$0] != nil }
    guard let name = names.first, let read = readers[name] else {
      throw section.unknown(
        section.keys.first ?? "", known: readers.keys.sorted(), help: Section.helpCommand)
    }
    guard names.count == 1 else {
      throw section.invalid(names[1], "here too", expected: "one transform in an entry of the list")
    }
    self = try read(section)
  }

  /// The readers of transforms by their names.
  static var readers: [String: (Section) throws -> Transform] {
    [
      "resize": { .resize(try $0.area("resize"), antialias: try $0.antialias) },
      "resizeToFit": { .resizeToFit(try $0.area("resizeToFit"), antialias: try $0.antialias) },
      "resizeShorterSide": {
        .resizeShorterSide(
          try $0.int("resizeShorterSide", in: sides), antialias: try $0.antialias)
      },
      "randomResize": {
        .randomResize(
          ratio: try $0.range("randomResize"), box: $0.has("box") ? try $0.area("box") : nil,
          antialias: try $0.antialias)
      },
      "randomCrop": {
        .randomCrop(
          try $0.area("randomCrop"),
          maxClassShare: try $0.double("maxClassShare", default: 1, in: 0...1))
      },
      "centerCrop": { .centerCrop(try $0.area("centerCrop")) },
      "pad": { .pad(to: try $0.area("pad"), fill: try $0.fill) },
      "padToMultiple": {
        .padToMultiple(of: try $0.int("padToMultiple", in: sides), fill: try $0.fill)
      },
      "horizontalFlip": {
        .horizontalFlip(probability: try $0.double("horizontalFlip", in: 0...1))
      },
      "verticalFlip": { .verticalFlip(probability: try $0.double("verticalFlip", in: 0...1)) },
      "rotation": {
        .rotation(
          degrees: try $0.range("rotation"), probability: try $0.probability, fill: try $0.fill)
      },
      "photometricDistortion": {
        let standard = PhotometricDistortion()
        let inner = try $0.settings("photometricDistortion")
        return .photometricDistortion(
          PhotometricDistortion(
            brightness: try inner?.double(
              "brightness", default: standard.brightness, in: brightness) ?? standard.brightness,
            contrast: try inner?.range(
              "contrast", default: standard.contrast, like: "photometricDistortion.contrast")
              ?? standard.contrast,
            saturation: try inner?.range(
              "saturation", default: standard.saturation, like: "photometricDistortion.saturation")
              ?? standard.saturation,
            hue: try inner?.double("hue", default: standard.hue, in: hue) ?? standard.hue))
      },
      "colorJitter": {
        let inner = try $0.section("colorJitter")
        return .colorJitter(
          ColorJitter(
            brightness: try inner.double("brightness", default: 0, in: 0...Double.infinity),
            contrast: try inner.double("contrast", default: 0, in: 0...Double.infinity),
            saturation: try inner.double("saturation", default: 0, in: 0...Double.infinity),
            hue: try inner.double("hue", default: 0, in: turn)))
      },
      "gamma": { .gamma(try $0.range("gamma"), probability: try $0.probability) },
      "gaussianBlur": {
        .gaussianBlur(try $0.range("gaussianBlur"), probability: try $0.probability)
      },
      "gaussianNoise": {
        .gaussianNoise(try $0.range("gaussianNoise"), probability: try $0.probability)
      },
      "copyPaste": {
        let inner = try $0.section("copyPaste")
        var paste = CopyPaste(classes: try inner.strings("classes"))
        paste.probability = try inner.probability
        paste.regions = try inner.int("regions", default: paste.regions, in: CopyPaste.counts)
        paste.area = try inner.range("area", default: paste.area, like: "copyPaste.area")
        paste.scale = try inner.range("scale", default: paste.scale, like: "copyPaste.scale")
        paste.shift = try inner.double("shift", default: paste.shift, in: 0...1)
        return .copyPaste(paste)
      },
    ]
  }
}

extension Section {
  /// An error about a name that is none of `classes`.
  func unknownClass(_ key: String, _ name: String, of classes: [String]) -> ConfigurationError {
    invalid(
      key, "'\(name)'",
      expected: "classes: \(classes.joined(separator: ", "))"
        + (ConfigurationError.nearest(name, classes).map { " (did you mean '\($0)'?)" } ?? ""))
  }

  fileprivate func area(_ key: String) throws -> Size {
    let size = try size(key)
    return Size(width: size.width, height: size.height)
  }

  /// Two numbers; `note` is the key whose example a message shows, if it is not `key` itself.
  fileprivate func range(
    _ key: String, default fallback: ClosedRange<Double>? = nil, like note: String? = nil
  ) throws -> ClosedRange<Double> {
    let expected = "a lower and an upper bound"
    declare(
      key, as: .other(expected),
      default: fallback.map { "[\($0.lowerBound), \($0.upperBound)]" })
    if let fallback, !has(key) { return fallback }
    let bounds = try doubles(key)
    guard bounds.count == 2, bounds[0] <= bounds[1] else {
      let example = Transform.notes[note ?? key, in: key]?.examples.first
      throw invalid(
        key, "\(bounds)", expected: expected + (example.map { ", such as \($0)" } ?? ""))
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

  fileprivate var probability: Double {
    get throws { try double("probability", default: 0.5, in: 0...1) }
  }

  fileprivate var antialias: Bool { get throws { try bool("antialias", default: true) } }

  fileprivate var fill: Transform.Fill {
    get throws {
      declare("fill", as: .word(["mean", "black"]))
      let text = try string("fill", default: "mean")
      switch text {
      case "mean": return .mean
      case "black": return .black
      default: throw invalid("fill", "'\(text)'", expected: "mean or black")
      }
    }
  }
}
