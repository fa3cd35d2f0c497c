import Foundation
import Imaging
import Testing

@testable import Datasets

@Suite("Copy-paste")
struct CopyPasteTests {
  private static let size = Size(width: 40, height: 30)

  /// A picture of one grey level and class 0 with rectangles of other classes, in which levels differ from pixel to
  /// pixel.
  private func sample(
    _ index: Int, level: UInt8, size: Size = Self.size,
    _ rectangles: [(label: UInt8, x: Range<Int>, y: Range<Int>)] = []
  ) -> Sample {
    var mask = ClassMask(size: size, filledWith: 0)
    var pixels = [UInt8](repeating: level, count: size.width * size.height * 3)
    for (label, columns, rows) in rectangles {
      for y in rows {
        for x in columns {
          let at = y * size.width + x
          mask.classes[at] = label
          for channel in 0..<3 { pixels[at * 3 + channel] = UInt8(100 + x + y + channel) }
        }
      }
    }
    return Sample(
      index: index, name: "\(index)",
      image: Image(width: size.width, height: size.height, pixels: pixels), mask: mask)
  }

  private func pasted(
    _ target: Sample, _ donor: Sample, scale: Double = 1, shift: Double = 0, regions: Int = 1,
    area: ClosedRange<Double> = 0...1, seed: UInt64 = 1
  ) -> Sample {
    var random = SampleRandom(seed: seed, epoch: 0, index: 0)
    let paste = CopyPaste(
      classes: ["class 1"], regions: regions, area: area, scale: scale...scale, shift: shift)
    return target.pasting(1, from: donor, by: paste, &random)
  }

  @Test("a region comes with its pixels and label, and nothing else changes")
  func exact() {
    let donor = sample(
      1, level: 200, [(1, 10..<16, 5..<9), (2, 16..<18, 5..<9), (255, 10..<12, 9..<11)])
    let found = pasted(sample(0, level: 7), donor)
    let expected = sample(0, level: 7, [(1, 10..<16, 5..<9)])
    #expect(found.image == expected.image && found.mask == expected.mask)
  }

  @Test("a region that is scaled or in an image of another size keeps its middle")
  func scaled() {
    // Columns 10 to 15 and rows 6 to 9 of 40 × 30, the middle at 13 and 8; doubled, 12 × 8 around it.
    let donor = sample(1, level: 200, [(1, 10..<16, 6..<10)])
    let double = pasted(sample(0, level: 7), donor, scale: 2)
    #expect(double.mask == sample(0, level: 7, [(1, 7..<19, 4..<12)]).mask)
    // In 80 × 60 the middle is at 26 and 16.
    let size = Size(width: 80, height: 60)
    let large = pasted(sample(0, level: 7, size: size), donor)
    #expect(large.mask == sample(0, level: 7, size: size, [(1, 23..<29, 14..<18)]).mask)
    // What is shifted over the border is cut off.
    for seed in 0..<40 as Range<UInt64> {
      let moved = pasted(sample(0, level: 7), donor, shift: 1, seed: seed)
      let count = moved.mask.classes.count { $0 == 1 }
      let changed = stride(from: 0, to: moved.image.pixels.count, by: 3).count {
        moved.image.pixels[$0] != 7
      }
      #expect(count <= 24 && changed == count)
    }
  }

  @Test("regions that are too small or too large stay out, and no more come than are asked for")
  func limits() {
    // Of 1200 pixels 1, 24 and 300.
    let donor = sample(
      1, level: 200, [(1, 2..<3, 2..<3), (1, 10..<16, 6..<10), (1, 20..<40, 14..<29)])
    let middle = pasted(sample(0, level: 7), donor, regions: 9, area: 0.01...0.1)
    #expect(middle.mask.classes.count { $0 == 1 } == 24)
    #expect(pasted(sample(0, level: 7), donor, area: 0.5...1).mask == sample(0, level: 7).mask)
    var counts: Set<Int> = []
    for seed in 0..<60 as Range<UInt64> {
      let found = pasted(sample(0, level: 7), donor, regions: 2, seed: seed)
      counts.insert(found.mask.classes.count { $0 == 1 })
    }
    #expect(counts == [1, 24, 300, 25, 301, 324])
  }

  @Test("regions are connected by eight neighbours")
  func regions() {
    let mask = ClassMask(
      width: 5, height: 4,
      classes: [
        1, 0, 0, 0, 1,
        0, 1, 0, 0, 1,
        0, 0, 1, 0, 0,
        1, 0, 0, 255, 1,
      ])
    let found = ClassRegions(of: 1, in: mask)
    #expect(found.regions.map(\.area) == [3, 2, 1, 1])
    #expect(found.regions[0].right == 2 && found.regions[0].bottom == 2)
    #expect(found.parts[4] == 1 && found.parts[18] == -1 && found.parts[0] == 0)
  }

  @Test("levels of any number of bands are pasted, missing ones are not")
  func levels() {
    func image(_ base: Float) -> Image {
      var values = (0..<Self.size.width * Self.size.height * 2).map { base + Float($0 % 97) }
      values[(6 * 40 + 10) * 2] = base > 50 ? .nan : values[(6 * 40 + 10) * 2]
      return Image(Levels(size: Self.size, bands: 2, values: values))
    }
    let shape = sample(1, level: 0, [(1, 10..<16, 6..<10)])
    let target = Sample(index: 0, name: "0", image: image(0), mask: sample(0, level: 0).mask)
    let donor = Sample(index: 1, name: "1", image: image(100), mask: shape.mask)
    let found = pasted(target, donor)
    var expected = shape.mask
    expected.classes[6 * 40 + 10] = 0
    #expect(found.mask == expected)
    for (at, label) in expected.classes.enumerated() {
      let source = label == 1 ? donor : target
      #expect(found.image.levels?.values[at * 2 + 1] == source.image.levels?.values[at * 2 + 1])
    }
    // Bands that differ are no partners.
    #expect(pasted(target, shape).mask == target.mask)
  }

  /// Six pictures, of which 1 and 4 hold class 1, and 4 alone class 2.
  private func set() throws -> MemoryDataset {
    let rectangles: [Int: [(label: UInt8, x: Range<Int>, y: Range<Int>)]] = [
      1: [(1, 3..<7, 3..<8)], 4: [(1, 20..<25, 10..<14), (2, 30..<34, 20..<24)],
    ]
    return MemoryDataset(
      name: "set", labelMap: try .identity(3),
      samples: (0..<6).map { index in
        let made = sample(index, level: UInt8(index), rectangles[index] ?? [])
        return (made.name, made.image, made.mask)
      })
  }

  @Test("the loader takes classes and samples in turn, alike on any number of threads")
  func loader() throws {
    let set = try set()
    let names = set.labelMap.classes.map(\.name)
    func loader(_ classes: [String], probability: Double = 1, threads: Int = 1) throws -> Loader {
      let paste = CopyPaste(
        classes: classes, probability: probability, regions: 1, area: 0...1, scale: 1...1, shift: 0)
      return try Loader(
        set, pipeline: Pipeline([.copyPaste(paste), .horizontalFlip()]), batchSize: 3, seed: 5,
        threads: threads)
    }
    let both = try loader([names[1], names[2]])
    var seen: [[Int]] = []
    for epoch in 0..<40 {
      let counts = try both.sample(0, epoch: epoch).mask.classes
        .reduce(into: [0, 0]) { if $1 > 0 { $0[Int($1) - 1] += 1 } }
      seen.append(counts)
    }
    // Class 1 of the two pictures, 20 pixels each, or class 2 of the fourth: 16.
    #expect(Set(seen) == [[20, 0], [0, 16]])
    #expect((8...32).contains(seen.count { $0 == [0, 16] }))
    // A picture does not paste into itself: class 2 is in the fourth alone.
    let alone = try loader([names[2]])
    #expect(try alone.sample(4, epoch: 0).mask.classes.count { $0 == 2 } == 16)
    #expect(try alone.sample(3, epoch: 0).mask.classes.count { $0 == 2 } == 16)
    #expect(try loader([names[2]], probability: 0).sample(3, epoch: 0).mask.classes.max() == 0)
    for step in 0..<2 {
      let one = try #require(try both.batches(epoch: 3, from: step).next())
      let more = try loader([names[1], names[2]], threads: 4)
      let other = try #require(try more.batches(epoch: 3, from: step).next())
      #expect(one.images == other.images && one.masks == other.masks)
    }
    #expect(throws: DatasetError.self) { try loader(["pole"]) }
  }

  @Test("it stands before all other transforms, with settings that can be meant")
  func refused() throws {
    let paste = CopyPaste(classes: ["class 1"])
    #expect(throws: DatasetError.self) { try Pipeline([.horizontalFlip(), .copyPaste(paste)]) }
    #expect(
      try Pipeline([.copyPaste(paste), .copyPaste(paste), .horizontalFlip()]).pastes.count == 2)
    #expect(try Pipeline([.copyPaste(paste)]).isRandom)
    for change: (inout CopyPaste) -> Void in [
      { $0.classes = [] }, { $0.probability = 2 }, { $0.regions = 0 }, { $0.area = -1...0.5 },
      { $0.scale = 0.01...1 }, { $0.scale = 1...11 }, { $0.shift = .infinity },
    ] {
      var bad = paste
      change(&bad)
      #expect(throws: DatasetError.self) { try Pipeline([.copyPaste(bad)]) }
    }
  }
}
