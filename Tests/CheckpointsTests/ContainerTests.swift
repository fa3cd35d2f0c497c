import Foundation
import Testing
import Torch

@testable import Checkpoints

/// The tensors of `containers.py`'s network.
private let network = [
  "body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias", "body.1.running_mean",
  "body.1.running_var", "body.1.num_batches_tracked", "scale",
]

@Suite("Containers beside torch.save's and safetensors'")
struct ContainerTests {
  @Test("TorchScript's attributes come under their dotted names", arguments: ["script", "trace"])
  func script(_ kind: String) throws {
    let file = try WeightFile.open(fixture("\(kind).pt"))
    #expect(file.format == .torchScript)
    // A script keeps buffers that a state dictionary would not have.
    #expect(Set(file.entries.map(\.name)) == Set(network + ["passing"]))
    for name in ["body.0.weight", "body.1.running_var", "scale"] {
      #expect(try file.values(name) == counting(2))
    }
    let notes = file.notes.joined(separator: "\n")
    #expect(notes.contains("__torch__") && notes.contains("nothing is run"))
  }

  @Test("a frozen program's weights have no names, which is said")
  func frozen() throws {
    let error = #expect(throws: WeightFileError.self) { try WeightFile.open(fixture("frozen.pt")) }
    #expect(error?.description.contains("frozen TorchScript program") == true)
  }

  @Test("torch.export's tables say where tensors lie: at offsets, strides and in common")
  func exported() throws {
    let file = try WeightFile.open(fixture("exported.pt2"))
    #expect(file.format == .exportedProgram)
    #expect(
      Set(file.entries.map(\.name)) == ["last.weight", "a.weight", "b.weight", "early", "late"])
    #expect(file.entry("last.weight")?.isContiguous == false)
    #expect(try file.values("last.weight") == counting(24))
    #expect(try file.values("a.weight") == counting(4))
    #expect(try file.values("b.weight") == counting(4))
    #expect(try file.values("early") == [2, 3, 4])
    #expect(try file.values("late") == [10, 11, 12, 13])
    #expect(
      file.notes.contains {
        $0.contains("constants of the program (1)") && $0.contains("'constants'")
      })
    let constants = try WeightFile.open(fixture("exported.pt2"), part: "constants")
    #expect(constants.entries.map(\.name) == ["passing"])
    #expect(try constants.values("passing") == counting(3))
    #expect(throws: WeightFileError.self) {
      try WeightFile.open(fixture("exported.pt2"), part: "ema")
    }
  }

  @Test("torch.export's older files hold archives in an archive")
  func exportedBefore() throws {
    let file = try WeightFile.open(fixture("exported-old.pt2"))
    #expect(file.entries.map(\.name) == ["a.weight"])
    #expect(try file.values("a.weight") == counting(4))
    let constants = try WeightFile.open(fixture("exported-old.pt2"), part: "constants")
    #expect(try constants.values("b") == counting(3))
  }

  @Test("a module that was saved whole is walked, not made", arguments: ["", "-old"])
  func module(_ variant: String) throws {
    let file = try WeightFile.open(fixture("module\(variant).pth"))
    #expect(file.entries.map(\.name) == network.dropLast().map { "0.\($0.dropFirst(5))" })
    #expect(try file.values("0.0.weight") == counting(2))
    #expect(file.notes.contains { $0.contains("torch.nn.modules.container.Sequential") })
    let inside = try WeightFile.open(fixture("modules\(variant).pth"))
    #expect(Set(inside.entries.map(\.name)) == Set(network))
    #expect(try inside.values("scale") == counting(2))
    let notes = inside.notes.joined(separator: "\n")
    #expect(notes.contains("'model'") && notes.contains("'ema', too"))
    #expect(try WeightFile.open(fixture("model.pth")).entries.count == 7)
  }

  @Test("deflated archives are unpacked, whatever their folder is called")
  func deflated() throws {
    let file = try WeightFile.open(fixture("deflated.pth"))
    #expect(file.entries.map(\.name) == network.dropLast().map { String($0.dropFirst(5)) })
    #expect(try file.values("0.weight") == counting(54))
    // What is changed is not the file's memory, nor that of the next reader.
    try file.tensor("0.weight").fill(9)
    #expect(try file.values("0.weight") == counting(54))
    let network = Sequential {
      Conv2d(2, 3, kernel: 3)
      BatchNorm2d(3)
    }
    #expect(try file.load(into: network).isComplete)
    #expect(network.state[0].tensor.floats.map(Double.init) == counting(54))
  }

  @Test("NumPy's arrays load from pickles of every protocol", arguments: 0...5)
  func pickles(_ number: Int) throws {
    let file = try WeightFile.open(fixture("arrays\(number).pkl"))
    #expect(file.format == .pickle)
    try expectArrays(file)
  }

  @Test("NumPy's arrays load from its own files", arguments: ["arrays.npz", "packed.npz"])
  func archives(_ name: String) throws {
    let file = try WeightFile.open(fixture(name))
    #expect(file.format == .numpy)
    try expectArrays(file)
  }

  private func expectArrays(_ file: WeightFile) throws {
    #expect(file.entries.count == 9)
    #expect(file.entry("float32")?.shape == [2, 3])
    #expect(try file.values("float32") == counting(6))
    #expect(try file.values("float64") == counting(3))
    #expect(try file.values("int64") == [200, 201, 202])
    #expect(try file.values("bool") == [1, 0])
    #expect(file.entry("columns")?.shape == [2, 3])
    #expect(try file.values("columns") == counting(6))
    #expect(file.entry("swapped")?.coding == .bigEndian)
    #expect(try file.values("swapped") == counting(3))
    #expect(try file.values("scalar") == [7])
    #expect(file.entry("scalar")?.dtype == .float16)
    #expect(file.entry("empty")?.shape == [0, 2])
    #expect(try file.values("signs") == [-3, -2, -1, 0, 1, 2])
  }

  @Test("a single array is called as its file, and stands beside tensors, too")
  func single() throws {
    let file = try WeightFile.open(fixture("columns.npy"))
    #expect(file.entries.map(\.name) == ["columns"])
    #expect(try file.values("columns") == counting(6))
    let mixed = try WeightFile.open(fixture("mixed.pth"))
    #expect(try mixed.values("weight") == counting(4))
    #expect(try mixed.values("bias") == counting(2))
  }

  @Test("an index and a folder name files that belong together", arguments: ["safetensors", "bin"])
  func sharded(_ suffix: String) throws {
    let folder = fixture("sharded-\(suffix)")
    let kind = suffix == "bin" ? "pytorch_model" : "model"
    for path in [folder, "\(folder)/\(kind).\(suffix).index.json"] {
      let file = try WeightFile.open(path)
      #expect(Set(file.entries.map(\.name)) == ["x", "y", "z"])
      #expect(try file.values("y") == counting(3))
      #expect(try file.values("z") == counting(4))
      #expect(file.notes.contains { $0.contains("2 files") })
    }
  }

  @Test("an index that names what is not there, or what lies elsewhere, is refused by name")
  func indexes() throws {
    try withTemporaryFolder { folder in
      let index = "\(folder)/model.safetensors.index.json"
      try WeightFile.write([("a", Tensor(1))], to: "\(folder)/one.safetensors")
      let cases: [(String, String)] = [
        (#"{"weight_map": {"a": "two.safetensors"}}"#, "two.safetensors"),
        (#"{"weight_map": {"b": "one.safetensors"}}"#, "'b'"),
        (#"{"weight_map": {"a": "../one.safetensors"}}"#, "does not lie beside it"),
        (#"{"weight_map": {"a": "model.safetensors.index.json"}}"#, "JSON text"),
        (#"{"weights": {}}"#, "weight_map"), ("{", "weight_map"),
      ]
      for (text, word) in cases {
        try Data(text.utf8).write(to: URL(fileURLWithPath: index))
        let error = #expect(throws: WeightFileError.self) { try WeightFile.open(index) }
        #expect(error?.description.contains(word) == true, "\(error as Any)")
      }
      try Data(#"{"weight_map": {"a": "one.safetensors"}}"#.utf8)
        .write(to: URL(fileURLWithPath: index))
      #expect(try WeightFile.open(folder).values("a") == [1])
    }
  }

  @Test("a folder without one file of weights is refused with what it has")
  func folders() throws {
    try withTemporaryFolder { folder in
      let none = #expect(throws: WeightFileError.self) { try WeightFile.open(folder) }
      #expect(none?.description.contains("a folder without a file of weights") == true)
      try WeightFile.write([("a", Tensor(1))], to: "\(folder)/one.safetensors")
      #expect(try WeightFile.open(folder).values("a") == [1])
      try WeightFile.write([("a", Tensor(1))], to: "\(folder)/two.pth", as: .pytorch)
      let two = #expect(throws: WeightFileError.self) { try WeightFile.open(folder) }
      #expect(two?.description.contains("'one.safetensors', 'two.pth'") == true)
    }
  }

  @Test("TensorFlow Lite's tensors are those with elements, but for settings of operators")
  func lite() throws {
    let file = try WeightFile.open(fixture("tensors.tflite"))
    #expect(file.format == .tensorFlowLite)
    #expect(file.entries.map(\.name) == ["Conv/weights", "half"])
    #expect(file.entry("Conv/weights")?.shape == [1, 2, 3])
    #expect(try file.values("Conv/weights") == counting(6))
    #expect(try file.values("half") == counting(2))
    #expect(file.notes.contains { $0.contains("2 whole numbers") })
  }

  @Test(
    "numbers of eight bits are widened as PyTorch widens them",
    arguments: ["float8.pth", "float8-old.pth", "float8.safetensors"])
  func float8(_ name: String) throws {
    let file = try WeightFile.open(fixture(name))
    for coding in Coding.allCases where coding.isFloat8 {
      let entry = try #require(file.entry(coding.rawValue))
      #expect(entry.dtype == .float32 && entry.typeName == coding.rawValue)
      let (found, expected) = (
        try file.values(entry.name), try file.values("wide.\(coding.rawValue)")
      )
      #expect(found.count == 256)
      for (found, expected) in zip(found, expected) {
        #expect(found == expected || found.isNaN && expected.isNaN, "\(coding.rawValue)")
      }
    }
  }

  @Test("archives may have the directory of 64 bits")
  func zip64() throws {
    let bytes = [UInt8](
      try #require(FileManager.default.contents(atPath: fixture("protocol4.pth"))))
    let end = bytes.count - 22
    func number(_ at: Int, _ size: Int) -> UInt64 {
      (0..<size).reduce(0) { $0 | UInt64(bytes[end + at + $1]) << (8 * UInt64($1)) }
    }
    var record: [UInt8] = []
    record.append(little: UInt32(0x0606_4b50))
    record.append(little: UInt64(44))
    record += [45, 0, 45, 0] + [UInt8](repeating: 0, count: 8)
    for value in [number(8, 2), number(10, 2), number(12, 4), number(16, 4)] {
      record.append(little: value)
    }
    record.append(little: UInt32(0x0706_4b50))
    record.append(little: UInt32(0))
    record.append(little: UInt64(end))
    record.append(little: UInt32(1))
    var last = Array(bytes[end...])
    for at in 8..<20 { last[at] = 0xff }
    #expect(try refusal(Array(bytes[..<end]) + record + last) == nil)
    record[record.count - 12] ^= 1
    #expect(try refusal(Array(bytes[..<end]) + record + last) != nil)
  }

  @Test("sums are those of all elements, read in parts")
  func sums() throws {
    let file = try WeightFile.open(fixture("exported.pt2"))
    #expect(try file.sum(try #require(file.entry("last.weight"))) == 276)
    let listing = try WeightListing(WeightFile.open(fixture("types.pth")))
    #expect(listing.tensors["float16"]?.sum == 15)
    #expect(listing.tensors["bool"]?.sum == 3 && listing.tensors["empty"]?.sum == 0)
    #expect(listing.text.contains("  int8  [2, 3]  int8  sum 15"))
    struct Read: Decodable {
      struct Tensor: Decodable { let shape: [Int], dtype: String, sum: Double }
      let tensors: [String: Tensor]
    }
    let read = try JSONDecoder().decode(Read.self, from: Data(listing.json().utf8))
    #expect(read.tensors["bfloat16"]?.shape == [2, 3] && read.tensors["bfloat16"]?.sum == 15)
  }
}
