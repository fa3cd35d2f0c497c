import Foundation
import Testing
import Torch

@Suite("Memory of tensors")
struct MemoryTests {
  /// Small numbers that follow a rule, the same in all runs.
  private struct Numbers {
    var state: UInt64

    mutating func next(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % count
    }
  }

  @Test("pages serve one tensor at a time, whatever lengths come and go")
  func reuse() {
    Engine.keepFreedMemory()
    DispatchQueue.concurrentPerform(iterations: 3) { thread in
      var numbers = Numbers(state: UInt64(thread))
      var held: [(value: Float, tensor: Tensor)] = []
      for step in 0..<300 {
        if held.count > 12 { held.remove(at: numbers.next(held.count)) }
        // From 4 bytes to 32 MB, of which pages are moved, some of them not whole pages.
        let length = (1 << numbers.next(23)) + numbers.next(2) * numbers.next(70_000)
        let value = Float(1000 * thread + step)
        let tensor = Tensor(uninitialized: [length])
        tensor.fill(Double(value))
        held.append((value, tensor))
        let (expected, other) = held[numbers.next(held.count)]
        #expect(holds(other, expected))
      }
      for (expected, tensor) in held { #expect(holds(tensor, expected)) }
    }
  }

  @Test(
    "code that is not called any more takes no memory, and comes back where it is",
    .enabled(if: FileManager.default.fileExists(atPath: "/proc/self/status")))
  func code() throws {
    Engine.keepFreedMemory()
    let x = Tensor((0..<2048).map { Float($0 % 37) }, [1, 8, 16, 16])
    let before = x.softmax(1)
    try readCode(megabytes: 32)
    let held = try #require(try fileMemory())
    Engine.giveBackCode()
    let left = try #require(try fileMemory())
    // Other tests call code meanwhile.
    #expect(left < held - 16_000, "\(left) of \(held) kB")
    #expect((x.softmax(1) - before).abs().maximum(along: [0, 1, 2, 3]).item == 0)
  }

  /// Reads the first bytes of libtorch's code, as a start does.
  private func readCode(megabytes: Int) throws {
    // Its length is not known beforehand.
    let file = try #require(FileHandle(forReadingAtPath: "/proc/self/maps"))
    let maps = String(decoding: try #require(try file.readToEnd()), as: UTF8.self).split(
      separator: "\n")
    let line = try #require(maps.first { $0.contains("r-xp") && $0.hasSuffix("libtorch_cpu.so") })
    let start = try #require(UInt(line.prefix { $0 != "-" }, radix: 16))
    let code = try #require(UnsafeRawPointer(bitPattern: start))
    let pages = stride(from: 0, to: megabytes << 20, by: 4096)
    #expect(pages.reduce(0) { $0 + Int(code.load(fromByteOffset: $1, as: UInt8.self)) } > 0)
  }

  /// The kilobytes of files that the process holds in memory.
  private func fileMemory() throws -> Int? {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssFile:") }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
  }

  private func holds(_ tensor: Tensor, _ value: Float) -> Bool {
    let differences = (tensor - Double(value)).abs()
    return differences.maximum(along: [0]).item == 0
  }
}
