import Checkpoints
import Foundation
import Testing
import Torch

@Suite("What training scripts keep beside weights")
struct ObjectTests {
  @Test(
    "is passed over, whatever a pickle names, and named once in a note",
    arguments: ["objects2.pth", "objects4.pth", "objects-old.pth"])
  func objects(_ name: String) throws {
    let file = try WeightFile.open(fixture(name))
    #expect(file.entries.map(\.name) == ["weight", "bias"])
    #expect(try file.values("weight") == counting(4))
    let notes = file.notes.filter { $0.contains("passed over") }
    #expect(notes.count == 1)
    #expect(notes.first?.contains("argparse.Namespace") == true)
    #expect(notes.first?.contains(" more") == true && (notes.first?.count ?? 0) < 300)
  }

  @Test(
    "may hold the weights in it", arguments: ["easydict.pth", "dataclass.pth", "tuple.pth"])
  func inside(_ name: String) throws {
    let file = try WeightFile.open(fixture(name))
    #expect(file.entries.map(\.name) == ["weight", "bias"])
    #expect(try file.values("bias") == counting(2))
  }

  @Test("of several dictionaries the one with most tensors is taken, and the others are named")
  func several() throws {
    let path = fixture("several.pth")
    let file = try WeightFile.open(path)
    #expect(
      Set(file.entries.map(\.name)) == ["state.weight", "state.bias", "more.x"])
    #expect(file.alternatives == ["model"])
    #expect(file.notes.contains { $0.contains("'model', too") })
    #expect(try WeightFile.open(path, part: "model").entries.map(\.name) == ["x"])
    #expect(try WeightFile.open(path, part: "net.state").values("bias") == counting(2))
  }

  @Test(
    "and tensors of kinds that are not read are refused by name",
    arguments: [
      ("complex.safetensors", "complex numbers"), ("complex.pth", "complex numbers"),
      ("quantized.pth", "quantized weights"), ("meta.pth", "'meta'"), ("sparse.pth", "sparse"),
      ("conjugated.pth", "conjugated"), ("scales.tflite", "quantized weights"),
      ("words.npy", "'<U1'"), ("pickled-tensors.pkl", "pickle.dump"),
    ])
  func refused(_ name: String, _ word: String) throws {
    let error = #expect(throws: WeightFileError.self) { try WeightFile.open(fixture(name)) }
    #expect(error?.description.contains(word) == true, "\(error as Any)")
    #expect(error?.description.contains("damaged") == false)
  }
}
