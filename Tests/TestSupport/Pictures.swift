import Foundation
import Imaging

/// Writes a picture of grey levels, in the format that its name ends in: the values exactly in PNG, TIFF
/// and PPM, nearly in JPEG.
///
/// - Parameters:
///   - values: One a pixel; without them, 0, 1, 2 and so on as a coloured picture.
///   - palette: For an indexed PNG its colours.
///   - orientation: For a TIFF the orientation that it notes.
package func writePicture(
  _ path: String, _ size: Size, _ values: [UInt16]? = nil, palette: [Color]? = nil,
  orientation: Int = 1
) throws {
  try FileManager.default.createDirectory(
    atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
  let grey = (values ?? (0..<size.width * size.height).map { UInt16($0 % 251) }).map {
    UInt8(truncatingIfNeeded: $0)
  }
  let data: [UInt8]
  switch (path as NSString).pathExtension {
  case "png" where values != nil:
    return try LabelImage(width: size.width, height: size.height, values: values ?? [])
      .writePNG(to: path, palette: palette)
  case "ppm":
    data =
      Array("P6 \(size.width) \(size.height) 255\n".utf8) + grey.flatMap { [$0, $0, $0] }
  case "tif": data = tiff(grey, size, orientation)
  default:
    return try Image(
      width: size.width, height: size.height, pixels: grey.flatMap { [$0, $0, $0] }
    ).write(to: path)
  }
  try Data(data).write(to: URL(fileURLWithPath: path))
}

/// A grey TIFF without compression.
private func tiff(_ grey: [UInt8], _ size: Size, _ orientation: Int) -> [UInt8] {
  let entries: [(tag: Int, kind: Int, value: Int)] = [
    (256, 4, size.width), (257, 4, size.height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8),
    (274, 3, orientation), (277, 3, 1), (278, 4, size.height), (279, 4, grey.count),
  ]
  func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
  return Array("II".utf8) + little(42, 2) + little(8 + grey.count, 4) + grey
    + little(entries.count, 2)
    + entries.flatMap {
      little($0.tag, 2) + little($0.kind, 2) + little(1, 4) + little($0.value, 4)
    }
    + little(0, 4)
}

/// Writes a few small samples of a known data set, named and laid out as the real ones.
package func writeMiniature(_ set: String, in root: String, size: Size) throws {
  func values(_ all: [UInt16]) -> [UInt16] {
    (0..<size.width * size.height).map { all[$0 / 5 % all.count] }
  }
  func write(_ image: String, _ label: String, _ all: [UInt16], palette: [Color]? = nil) throws {
    try writePicture("\(root)/\(image)", size)
    try writePicture("\(root)/\(label)", size, values(all), palette: palette)
  }
  switch set {
  case "cityscapes":
    for (split, city) in [("train", "aachen"), ("train", "bochum"), ("val", "lindau")] {
      for frame in ["000000_000019", "000001_000019"] {
        let name = "\(split)/\(city)/\(city)_\(frame)"
        try write(
          "leftImg8bit/\(name)_leftImg8bit.png", "gtFine/\(name)_gtFine_labelIds.png",
          [0, 7, 8, 11, 17, 21, 23, 26, 33])
      }
    }
  case "coco-stuff-164k":
    for (split, name) in [
      ("train", "000000000009"), ("train", "000000000025"), ("val", "000000000139"),
    ] {
      try write(
        "images/\(split)2017/\(name).jpg", "annotations/\(split)2017/\(name).png",
        [0, 12, 100, 181, 255])
    }
  case "stare":
    for name in ["im0001", "im0002", "im0162"] {
      try write("stare-images/\(name).ppm", "labels-ah/\(name).ah.ppm", [0, 0, 255])
    }
  case "chase-db1":
    for name in ["Image_01L", "Image_01R", "Image_11L"] {
      try write("\(name).jpg", "\(name)_1stHO.png", [0, 0, 255])
      try writePicture("\(root)/\(name)_2ndHO.png", size, values([255, 0]))
    }
  case "hrf":
    for name in ["01_h", "01_dr", "06_g"] {
      try write("images/\(name).jpg", "manual1/\(name).tif", [0, 0, 255])
    }
  case "isaid":
    for (split, name) in [
      ("train", "P0000_0_896_0_896"), ("train", "P0000_0_896_512_1408"),
      ("val", "P0003_0_896_0_896"),
    ] {
      try write(
        "img_dir/\(split)/\(name).png", "ann_dir/\(split)/\(name)_instance_color_RGB.png",
        [0, 1, 15, 255])
    }
  default:
    for (split, name) in [
      ("train", "0001TP_006690"), ("train", "0001TP_006720"), ("val", "0016E5_07959"),
    ] {
      try write("\(split)/\(name).png", "\(split)annot/\(name).png", [0, 1, 3, 11])
    }
  }
}
