import Datasets
import Evaluation
import Foundation
import Imaging
import Segmentation
import Testing
import Torch

@testable import Analysis

@Suite("Similarity of features")
struct SimilarityTests {
  private let picture = noisePicture(width: 48, height: 32)

  private func similarity(
    _ reference: SimilarityReference, layer: String = "features", truth: ClassMask? = nil
  ) throws -> Similarity {
    try Similarity(
      tinyModel(tinyCascade), picture, named: "noise", encoding: .imageNet,
      reference: reference, layer: layer, truth: truth, names: ["a", "b", "c"])
  }

  @Test("a pixel is like itself, and cosines are within ±1")
  func pixel() throws {
    let found = try similarity(.pixel(x: 20, y: 17))
    #expect((found.mapWidth, found.mapHeight) == (6, 4))
    #expect(abs(found.cosines[2 * 6 + 2] - 1) < 1e-5)
    #expect(found.cosines.allSatisfy { abs($0) <= 1.0001 })
    #expect(Set(found.cosines).count > 1)
    #expect(found.heatMap.marks.first?.x == 20)
  }

  @Test(
    "a photograph that is resized for the network is compared as it is seen, and drawn as it is")
  func seen() throws {
    let scale = SeenScale(.shortSide(64))
    func found(_ picture: Image, _ x: Int, _ y: Int, _ seen: SeenScale) throws -> Similarity {
      try Similarity(
        tinyModel(tinyCascade), picture, named: "noise", seen: seen, encoding: .imageNet,
        reference: .pixel(x: x, y: y))
    }
    let own = try found(picture, 20, 17, scale)
    let enlarged = try found(scale(picture), 40, 34, .none)
    #expect((own.mapWidth, own.mapHeight) == (12, 8) && own.cosines == enlarged.cosines)
    #expect((own.width, own.height) == (48, 32))
    #expect(own.heatMap.width == 48 && own.heatMap.marks.first?.x == 20)
  }

  @Test("a class's own positions are more alike than the others")
  func label() throws {
    let found = try similarity(.label(1), truth: tinyData().load(0).mask)
    let (inside, outside) = (try #require(found.inside), try #require(found.outside))
    #expect(inside > outside)
    #expect(found.text.contains("reference        b"))
    #expect(throws: SimilarityError.self) {
      try similarity(.label(2), truth: ClassMask(size: picture.size, filledWith: 0))
    }
  }

  @Test("any layer can be asked for, and others are refused with those that are there")
  func layers() throws {
    let early = try similarity(.pixel(x: 0, y: 0), layer: "backbone.conv0")
    #expect((early.mapWidth, early.channels) == (24, 8))
    do {
      _ = try similarity(.pixel(x: 0, y: 0), layer: "nothing")
      Issue.record("expected an error")
    } catch let error as LayerError {
      #expect("\(error)".contains("backbone.conv0"))
    }
    #expect(throws: SimilarityError.self) { try similarity(.pixel(x: 48, y: 0)) }
  }
}
