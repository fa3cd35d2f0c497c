import Checkpoints
import Testing
import Torch

@Suite("Files that PyTorch and safetensors wrote")
struct ReadingTests {
  @Test(
    "load with equal values for every type",
    arguments: ["types.pth", "types-old.pth", "types.safetensors"])
  func types(_ name: String) throws {
    let file = try WeightFile.open(fixture(name))
    for dtype in DType.allCases {
      let isUnsigned = [.uint16, .uint32, .uint64].contains(dtype)
      if isUnsigned && file.format != .safetensors { continue }
      let entry = try #require(file.entry("\(dtype)"))
      #expect(entry.dtype == dtype && entry.shape == [2, 3])
      let expected = dtype == .bool ? [1, 0, 1, 0, 1, 0] : counting(6)
      #expect(try file.values("\(dtype)") == expected)
    }
    #expect(file.entry("scalar")?.shape == [])
    #expect(try file.values("scalar") == [7])
    #expect(file.entry("empty")?.shape == [0, 4])
    #expect(try file.tensor("empty").count == 0)
  }

  @Test("load unsigned types, whose storages have none", arguments: ["", "-old"])
  func unsigned(_ variant: String) throws {
    let file = try WeightFile.open(fixture("unsigned\(variant).pth"))
    for dtype in [DType.uint16, .uint32, .uint64] {
      #expect(file.entry("\(dtype)")?.dtype == dtype)
      #expect(try file.values("\(dtype)") == counting(6))
    }
  }

  @Test("have their format, order and texts")
  func formats() throws {
    let new = try WeightFile.open(fixture("types.pth"))
    let old = try WeightFile.open(fixture("types-old.pth"))
    #expect(new.format == .pytorch && old.format == .legacyPyTorch)
    #expect(new.entries.first?.name == "float64" && new.entries.last?.name == "empty")
    #expect(new.entries.map(\.name) == old.entries.map(\.name))
    let plain = try WeightFile.open(fixture("types.safetensors"))
    #expect(plain.format == .safetensors)
    #expect(plain.metadata == ["by": "hand \"é\""])
  }

  @Test("load what shares storages and lies in other orders", arguments: ["", "-old"])
  func strides(_ variant: String) throws {
    let file = try WeightFile.open(fixture("strides\(variant).pth"))
    #expect(try file.values("whole") == counting(24))
    #expect(try file.values("same") == counting(24))
    #expect(file.entry("whole")?.bytes == file.entry("same")?.bytes)
    #expect(file.entry("transposed")?.shape == [6, 4])
    #expect(
      try file.values("transposed")
        == (0..<6).flatMap { i in (0..<4).map { Double(6 * $0 + i) } })
    #expect(try file.values("column") == [2, 8, 14, 20])
    #expect(try file.values("corner") == [10, 11, 16, 17])
    #expect(try file.values("step") == [0, 3, 12, 15])
    #expect(try file.values("expanded") == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    #expect(file.entry("last")?.isContiguous == false)
    #expect(try file.values("last") == counting(12))
  }

  @Test("are unwrapped, and told of", arguments: ["", "-old"])
  func wrappers(_ variant: String) throws {
    let path = fixture("training\(variant).pth")
    let file = try WeightFile.open(path)
    let names = [
      "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
      "1.num_batches_tracked",
    ]
    #expect(file.entries.map(\.name) == names)
    #expect(try file.values("0.weight") == counting(54))
    let notes = file.notes.joined(separator: "\n")
    for word in ["state_dict", "ema", "module."] { #expect(notes.contains(word)) }
    let average = try WeightFile.open(path, part: "ema")
    #expect(try average.values("0.bias") == [1, 2, 3])
    let error = #expect(throws: WeightFileError.self) { try WeightFile.open(path, part: "none") }
    #expect(error?.description.contains("'optimizer'") == true)
    let plain = try WeightFile.open(fixture("network\(variant).pth"))
    #expect(plain.entries.map(\.name) == names)
    #expect(plain.notes.isEmpty)
  }

  @Test("may hold parameters and objects that weights do not need", arguments: ["", "-old"])
  func parameters(_ variant: String) throws {
    let file = try WeightFile.open(fixture("parameters\(variant).pth"))
    #expect(try file.values("parameter") == counting(4))
    #expect(try file.values("tagged") == counting(3))
    #expect(try file.values("attributed") == counting(2))
    #expect(try file.values("buffer") == counting(2))
    #expect(file.entries.count == 4)
    #expect(file.notes.joined().contains("'values' (a list)"))
  }

  @Test("may hold what MMEngine notes in training", arguments: ["", "-old"])
  func engine(_ variant: String) throws {
    let file = try WeightFile.open(fixture("mmengine\(variant).pth"))
    #expect(file.entries.map(\.name) == ["backbone.weight", "decode_head.conv_seg.bias"])
    #expect(try file.values("backbone.weight") == counting(6))
  }

  @Test("may have any of Python 3's protocols", arguments: [3, 4, 5], ["", "-old"])
  func protocols(_ number: Int, _ variant: String) throws {
    let file = try WeightFile.open(fixture("protocol\(number)\(variant).pth"))
    #expect(try file.values("a") == [0, 1])
  }

  @Test("load into a network, of any type and whatever the file's layout")
  func loading() throws {
    let network = Sequential {
      Conv2d(2, 3, kernel: 3)
      BatchNorm2d(3)
    }
    network.useChannelsLast()
    let report = try WeightFile.open(fixture("network.pth")).load(into: network)
    #expect(report.isComplete)
    #expect(network.state[0].tensor.floats.map(Double.init) == counting(54))
    let other = Sequential { Conv2d(2, 4, kernel: 3) }
    let before = other.state.map(\.tensor.floats)
    let error = #expect(throws: WeightFileError.self) {
      try WeightFile.open(fixture("network.pth")).load(into: other)
    }
    #expect(error?.description.contains("[4, 2, 3, 3]") == true)
    #expect(other.state.map(\.tensor.floats) == before)
  }

  @Test("stay as they are when a tensor of theirs is changed")
  func copies() throws {
    let file = try WeightFile.open(fixture("types.pth"))
    try file.tensor("float32").fill(9)
    #expect(try WeightFile.open(fixture("types.pth")).values("float32") == counting(6))
  }
}
