import Foundation
import TestSupport
import Testing

@testable import Imaging

@Suite("The mark of an output")
struct OutputMarkTests {
  private let picture = Image(width: 3, height: 2, pixels: [UInt8](repeating: 100, count: 18))

  @Test("is on pictures that are written as outputs alone", arguments: ["png", "jpg"])
  func pictures(_ suffix: String) throws {
    let folder = try TemporaryFolder()
    let (marked, plain) = ("\(folder.path)/a.\(suffix)", "\(folder.path)/b.\(suffix)")
    try picture.write(to: marked, isOutput: true)
    try picture.write(to: plain)
    #expect(OutputMark.isOn(marked))
    #expect(!OutputMark.isOn(plain))
    #expect(try Image(contentsOf: marked) == Image(contentsOf: plain))
  }

  @Test("is on labels of every depth", arguments: [1, 300] as [UInt16])
  func labels(_ value: UInt16) throws {
    let folder = try TemporaryFolder()
    let labels = LabelImage(width: 2, height: 1, values: [0, value])
    for palette in [nil, [Color(0, 0, 0), Color(255, 0, 0)]] {
      let path = "\(folder.path)/\(palette == nil).png"
      try labels.writePNG(to: path, palette: palette, isOutput: true)
      #expect(OutputMark.isOn(path))
      #expect(try LabelImage(contentsOf: path) == labels)
    }
  }

  @Test("is on nothing that is no picture")
  func others() throws {
    let folder = try TemporaryFolder()
    for (name, bytes) in [("empty", []), ("short", [0xFF, 0xD8, 0xFF])] as [(String, [UInt8])] {
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
      #expect(!OutputMark.isOn("\(folder.path)/\(name)"))
    }
    #expect(!OutputMark.isOn("\(folder.path)/absent"))
    #expect(!OutputMark.isOn(folder.path))
  }
}
