import Foundation
import TestSupport
import Testing

@testable import Imaging

@Suite("Planes of numbers that come some rows at a time")
struct PlanesTests {
  private let size = Size(width: 37, height: 600), planes = 3

  private func value(_ plane: Int, _ x: Int, _ y: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: 20_011 * plane + 257 * x + 7 * y)
  }

  private func rows(_ block: Int) -> Range<Int> {
    256 * block..<min(256 * (block + 1), size.height)
  }

  private func part(_ plane: Int, _ block: Int) -> ArraySlice<UInt16> {
    rows(block).flatMap { y in (0..<size.width).map { value(plane, $0, y) } }[...]
  }

  private func array(_ path: String, resumes: Bool = false, subject: String = "a") throws
    -> NumPyPlanes
  {
    try NumPyPlanes(path, planes: planes, size: size, subject: subject, isResumed: resumes)
  }

  private func pictures(_ folder: String, resumes: Bool = false) throws -> PNGPlanes {
    try PNGPlanes(
      (0..<planes).map { "\(folder)/\($0).png" }, part: "\(folder)/all.part", size: size,
      subject: "a", isResumed: resumes)
  }

  private func bytes(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

  @Test("an array has NumPy's header and each number at its place")
  func written() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.npy"
    let own = try array(path)
    for block in 0..<3 { try own.append(rows: rows(block).count) { part($0, block) } }
    try own.finish()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.npy"])
    let found = try #require(bytes(path))
    // numpy.save writes these 128 bytes before the numbers.
    let text = "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 600, 37), }"
    let header =
      Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0])
      + Data((text + String(repeating: " ", count: 117 - text.utf8.count) + "\n").utf8)
    #expect(found.prefix(128) == header)
    #expect(found.count == 128 + 2 * 3 * 600 * 37)
    for (plane, x, y) in [(0, 0, 0), (1, 36, 255), (2, 5, 256), (2, 36, 599)] {
      let at = 128 + 2 * ((plane * 600 + y) * 37 + x)
      #expect(UInt16(found[at]) | UInt16(found[at + 1]) << 8 == value(plane, x, y))
    }
  }

  @Test("an array that was stopped goes on with rows that are whole and of the same subject alone")
  func resumed() throws {
    let folder = try TemporaryFolder()
    let whole = "\(folder.path)/whole.npy"
    do {
      let own = try array(whole)
      for block in 0..<3 { try own.append(rows: rows(block).count) { part($0, block) } }
      try own.finish()
    }
    let path = "\(folder.path)/a.npy"
    func stop(after count: Int) throws {
      let own = try array(path)
      for block in 0..<count { try own.append(rows: rows(block).count) { part($0, block) } }
    }
    try stop(after: 2)
    #expect(try array(path, resumes: true, subject: "b").finishedRows == 0)
    try stop(after: 2)
    // A number of the second rows that somebody changed.
    let file = try #require(FileHandle(forUpdatingAtPath: "\(path).part"))
    try file.seek(toOffset: UInt64(128 + 2 * (600 + 300) * 37))
    try file.write(contentsOf: Data([1, 2, 3]))
    try file.close()
    let own = try array(path, resumes: true)
    #expect(own.finishedRows == 1)
    #expect(throws: (any Error).self) { try array(path, resumes: true) }
    for block in 1..<3 { try own.append(rows: rows(block).count) { part($0, block) } }
    try own.finish()
    #expect(bytes(path) == bytes(whole))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        == ["a.npy", "whole.npy"])
  }

  @Test("numbers of type float16 are NumPy's")
  func halves() {
    // numpy.float32(x).astype(numpy.float16).view(numpy.uint16), NumPy 2.4.
    let expected: [(Float, UInt16)] = [
      (0, 0), (-0.0, 0x8000), (1, 0x3C00), (-2.5, 0xC100), (0.1, 0x2E66), (1 / 3, 0x3555),
      (65_504, 0x7BFF), (65_519, 0x7BFF), (65_520, 0x7C00), (1e9, 0x7C00), (.infinity, 0x7C00),
      (6.1e-5, 0x3FF), (6.103515625e-05, 0x400), (6.0975e-5, 0x3FF), (5e-5, 0x347), (1e-6, 0x11),
      (5.9604645e-8, 1), (2.98023224e-8, 0), (2.9802326e-8, 1), (8.9406967e-8, 2), (1e-9, 0),
      (-3e-6, 0x8032), (2049, 0x6800), (2051, 0x6802), (1.00048828125, 0x3C00),
    ]
    for (value, bits) in expected { #expect(value.halfBits == bits, "\(value)") }
    #expect(Float.nan.halfBits & 0x7E00 == 0x7E00)
  }

  @Test(
    "pictures are read as they came, whether or not they were stopped, and say that they are results"
  )
  func pictures() throws {
    let (folder, other) = (try TemporaryFolder(), try TemporaryFolder())
    let own = try pictures(folder.path)
    for block in 0..<3 { try own.append(rows: rows(block).count) { part($0, block) } }
    try own.finish()
    do {
      let stopped = try pictures(other.path)
      for block in 0..<2 { try stopped.append(rows: rows(block).count) { part($0, block) } }
    }
    let resumed = try pictures(other.path, resumes: true)
    #expect(resumed.finishedRows == 2)
    try resumed.keep(rows: 1)
    for block in 1..<3 { try resumed.append(rows: rows(block).count) { part($0, block) } }
    try resumed.finish()
    let names = ["0.png", "1.png", "2.png"]
    for folder in [folder, other] {
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == names)
    }
    for (plane, name) in names.enumerated() {
      #expect(bytes("\(folder.path)/\(name)") == bytes("\(other.path)/\(name)"))
      let read = try LabelImage(contentsOf: "\(folder.path)/\(name)")
      #expect(read.size == size)
      #expect(read.values == (0..<3).flatMap { part(plane, $0) })
      #expect(OutputMark.isOn("\(folder.path)/\(name)"))
    }
  }
}
