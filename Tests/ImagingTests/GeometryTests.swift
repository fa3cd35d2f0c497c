import Testing

@testable import Imaging

@Suite("Geometry")
struct GeometryTests {
  /// 8 columns, 6 rows.
  private let image = Image(
    width: 8, height: 6, channels: 1,
    pixels: (0..<48).map { i -> UInt8 in
      let (x, y) = (i % 8, i / 8)
      let value = x * 37 + y * 91 + x * y * 13
      return UInt8(value % 256)
    })

  /// What Pillow 13 gives.
  ///
  /// ```python
  /// a = np.array([[(x*37 + y*91 + x*y*13) % 256 for x in range(8)] for y in range(6)], np.uint8)
  /// for size in sizes: print(np.array(Image.fromarray(a).resize(size, Image.BILINEAR)).ravel())
  /// ```
  static let bilinear: [(Size, [UInt8])] = [
    (Size(width: 3, height: 2), [120, 140, 132, 126, 144, 130]),
    (
      Size(width: 5, height: 4),
      [
        51, 115, 133, 151, 120, 158, 144, 145, 145, 115, 98, 133, 153, 133, 132, 139, 121, 165,
        122, 133,
      ]
    ),
    (
      Size(width: 13, height: 9),
      [
        0, 16, 38, 61, 84, 107, 130, 152, 175, 198, 221, 96, 3, 46, 64, 91, 118, 144, 171, 134, 97,
        124, 150, 177, 130, 94, 106, 128, 159, 165, 181, 214, 140, 65, 97, 114, 120, 151, 173, 167,
        193, 222, 128, 92, 129, 145, 161, 199, 162, 68, 97, 123, 100, 129, 167, 131, 129, 172, 151,
        130, 173, 171, 135, 99, 74, 32, 65, 112, 134, 166, 215, 157, 93, 115, 151, 199, 124, 67, 93,
        130, 175, 97, 77, 130, 162, 170, 92, 88, 142, 170, 189, 154, 140, 120, 100, 114, 173, 168,
        148, 128, 108, 88, 142, 182, 199, 134, 49, 112, 174, 237, 172, 107, 170, 144, 49, 102, 145,
      ]
    ),
    (
      Size(width: 8, height: 2),
      [82, 135, 124, 178, 103, 156, 145, 103, 117, 139, 97, 183, 140, 130, 120, 142]
    ),
    (Size(width: 1, height: 1), [133]),
    (
      Size(width: 2, height: 11),
      [
        70, 143, 95, 138, 138, 129, 151, 132, 155, 138, 140, 139, 124, 140, 122, 136, 124, 133, 137,
        134, 145, 135,
      ]
    ),
  ]

  /// The same with `Image.NEAREST`, at sizes where no centre lies between two pixels.
  static let byCentre: [(Size, [UInt8])] = [
    (Size(width: 3, height: 2), [141, 35, 135, 197, 208, 130]),
    (
      Size(width: 5, height: 4),
      [
        0, 74, 148, 185, 3, 182, 52, 178, 241, 111, 17, 169, 65, 141, 37, 199, 147, 95, 197, 145,
      ]
    ),
    (
      Size(width: 8, height: 2),
      [91, 141, 191, 241, 35, 85, 135, 185, 108, 197, 30, 119, 208, 41, 130, 219]
    ),
    (Size(width: 1, height: 1), [65]),
    (
      Size(width: 2, height: 10),
      [
        74, 222, 74, 222, 191, 135, 52, 48, 52, 48, 169, 217, 169, 217, 30, 130, 147, 43, 147, 43,
      ]
    ),
  ]

  @Test("the antialiased bilinear resize is Pillow's, level by level", arguments: bilinear)
  func antialiased(size: Size, expected: [UInt8]) {
    let grey = image.resized(to: size)
    #expect(grey.size == size)
    #expect(grey.pixels == expected)
    // Channels do not mix.
    #expect(image.rgb.resized(to: size).pixels == grey.rgb.pixels)
  }

  @Test("the nearest resize is Pillow's, for pictures and labels", arguments: byCentre)
  func nearest(size: Size, expected: [UInt8]) {
    #expect(image.resized(to: size, filter: .nearest).pixels == expected)
    let labels = LabelImage(width: 8, height: 6, values: image.pixels.map { UInt16($0) * 257 })
    #expect(labels.resized(to: size).values == expected.map { UInt16($0) * 257 })
  }

  @Test("without antialiasing a pixel mixes its neighbours only")
  func plain() {
    let row = Image(width: 2, height: 1, channels: 1, pixels: [0, 100])
    #expect(
      row.resized(to: Size(width: 4, height: 1), antialias: false).pixels == [0, 25, 75, 100])
    let long = Image(width: 8, height: 1, channels: 1, pixels: [0, 0, 0, 0, 200, 0, 0, 0])
    let two = Size(width: 2, height: 1)
    #expect(long.resized(to: two, antialias: false).pixels == [0, 0])
    #expect(long.resized(to: two).pixels.reduce(0) { $0 + Int($1) } > 40)
  }

  @Test("the same size is the same picture, and one colour stays one colour")
  func constant() {
    #expect(image.resized(to: image.size) == image)
    let grey = Image(width: 7, height: 9, pixels: [UInt8](repeating: 201, count: 189))
    for size in [Size(width: 3, height: 20), Size(width: 50, height: 1)] {
      #expect(grey.resized(to: size).pixels.allSatisfy { $0 == 201 })
    }
  }

  @Test("a part of a picture, and its mirror image")
  func parts() {
    let part = image.cropped(x: 2, y: 1, size: Size(width: 3, height: 2))
    #expect(part.pixels == [10, 11, 12, 18, 19, 20].map { image.pixels[$0] })
    let colours = Image(width: 2, height: 2, pixels: Array(0..<12))
    #expect(colours.mirrored.pixels == [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8])
    #expect(colours.mirrored.mirrored == colours)
  }
}
