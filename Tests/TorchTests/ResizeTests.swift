import Testing
import Torch

@Suite("Bilinear resizing by rows")
struct ResizeTests {
  /// A map and what it becomes.
  struct Case: Sendable, CustomStringConvertible {
    var images = 1, channels: Int
    var height: Int, width: Int
    var toHeight: Int, toWidth: Int
    var factor: Double?
    var description: String {
      "\(images)×\(channels)×\(height)×\(width) to \(toHeight)×\(toWidth)"
        + (factor.map { ", times \($0)" } ?? "")
    }
  }

  static let cases: [Case] = [
    .init(channels: 1, height: 1, width: 1, toHeight: 1, toWidth: 1),
    .init(channels: 3, height: 1, width: 1, toHeight: 5, toWidth: 7),
    .init(images: 2, channels: 37, height: 6, width: 9, toHeight: 13, toWidth: 18),
    .init(channels: 64, height: 17, width: 23, toHeight: 68, toWidth: 92),
    // Smaller, and one side each way.
    .init(images: 3, channels: 20, height: 21, width: 30, toHeight: 8, toWidth: 11),
    .init(channels: 16, height: 4, width: 33, toHeight: 31, toWidth: 5),
    .init(channels: 8, height: 10, width: 10, toHeight: 25, toWidth: 25, factor: 2.5),
    .init(channels: 8, height: 5, width: 5, toHeight: 11, toWidth: 11, factor: 2.3),
  ]

  private static let bilinear = Operator("upsample_bilinear2d")
  private static let resize = Operator("resize", namespace: "atrous")

  @Test("gives what double precision gives", arguments: cases, Engine.kernelBuilds)
  func agrees(_ size: Case, _ build: String) {
    let x = noise([size.images, size.channels, size.height, size.width])
      .contiguous(.channelsLast)
    for corners in [false, true] where !corners || size.factor == nil {
      let (down, across) = (size.factor, size.factor)
      let expected = Self.bilinear(
        x.to(.float64), [size.toHeight, size.toWidth], corners, down, across)
      let own = Self.resize(
        x, size.toHeight, size.toWidth, corners, down, across, Tensor?.none, build)
      #expect(own.shape == expected.shape && largestError(own, expected) < 3e-6)

      // Numbers of sixteen bits are rounded once.
      let halves = x.to(.bfloat16)
      let fromHalves = Self.bilinear(
        halves.to(.float64), [size.toHeight, size.toWidth], corners, down, across)
      let ownHalves = Self.resize(
        halves, size.toHeight, size.toWidth, corners, down, across, Tensor?.none, build)
      #expect(ownHalves.dtype == .bfloat16 && largestError(ownHalves, fromHalves) < 1 / 256.0)

      // The nearest codes.
      let codes = (x * 40 + 128).clamped(0, 255).to(.uint8)
      let fromCodes = Self.bilinear(
        codes.to(.float64), [size.toHeight, size.toWidth], corners, down, across)
      let ownCodes = Self.resize(
        codes, size.toHeight, size.toWidth, corners, down, across, Tensor?.none, build)
      let distance = (ownCodes.to(.float64) - fromCodes).reshaped(-1)
      #expect(ownCodes.dtype == .uint8)
      #expect((distance * distance).largest(1).item.squareRoot() <= 0.5 + 1e-4)
    }
  }

  @Test("goes to some channels of a larger map, and reads some")
  func places() {
    let wide = noise([2, 40, 6, 7]).contiguous(.channelsLast)
    let whole = Tensor(filledWith: 5, [2, 30, 12, 14]).contiguous(.channelsLast)
    let part = wide.sliced(1, 3, 20)
    let target = whole.sliced(1, 8, 25)
    _ = Self.resize(part, 12, 14, false, Double?.none, Double?.none, target, "")
    let expected = Self.bilinear(part.contiguous(), [12, 14], false, Double?.none, Double?.none)
    #expect(largestError(whole.sliced(1, 8, 25), expected) < 1e-6)
    #expect(Set(whole.sliced(1, 0, 8).floats) == [5] && Set(whole.sliced(1, 25, 30).floats) == [5])
  }

  @Test("refuses what does not fit")
  func refusals() {
    let x = noise([1, 4, 3, 3])
    func fails(_ x: Tensor, _ height: Int, _ width: Int, into: Tensor? = nil) -> Bool {
      (try? attempt {  // may fail: that is asked
        Self.resize(x, height, width, false, Double?.none, Double?.none, into, "")
      }) == nil
    }
    #expect(fails(x, 0, 3))
    #expect(fails(x, 3, -1))
    #expect(fails(x.to(.float64), 3, 3))
    #expect(fails(x.reshaped(4, 3, 3), 3, 3))
    #expect(fails(noise([1, 4, 0, 3]), 3, 3))
    #expect(fails(x, 6, 6, into: noise([1, 4, 6, 5])))
    #expect(fails(x, 6, 6, into: noise([1, 4, 6, 6]).to(.bfloat16)))
    #expect(!fails(x, 6, 6))
  }
}
