import Foundation
import Testing
import Torch

@testable import Checkpoints

@Suite("Files that are refused")
struct RefusalTests {
  private func message(_ name: String) -> String {
    var text = ""
    do { _ = try WeightFile.open(fixture(name)) } catch { text = "\(error)" }
    #expect(text.contains(fixture(name)))
    return text
  }

  @Test("name the function that they want to run, and run nothing", arguments: ["", "-old"])
  func hostile(_ variant: String) {
    let mark = "/tmp/atrous-hostile"
    #expect(message("hostile\(variant).pth").contains("posix.system"))
    #expect(!FileManager.default.fileExists(atPath: mark))
  }

  @Test("say what they are instead", arguments: ["", "-old"])
  func others(_ variant: String) {
    #expect(message("complex\(variant).pth").contains("complex"))
    #expect(message("list\(variant).pth").contains("a list"))
    #expect(message("tensor\(variant).pth").contains("a tensor without a name"))
    #expect(message("numbers\(variant).pth").contains("'a', 'b'"))
    #expect(message("plain-pickle.pth").contains("pickle that torch.save did not write"))
    #expect(message("no such file").contains("No such file or directory"))
  }

  @Test("are recognised by their beginning")
  func kinds() throws {
    let cases: [(String, String)] = [
      ("<!DOCTYPE html>", "web page"), ("version https://git-lfs.github.com/spec/v1", "Git LFS"),
      ("", "empty"), ("hello", "none of the known formats"),
      (String(repeating: "\0", count: 257) + "ustar", "tar archive"),
    ]
    for (text, word) in cases {
      #expect(try refusal(Array(text.utf8))?.description.contains(word) == true)
    }
  }

  // MARK: safetensors

  /// A file with this header, and as many bytes of data.
  private func safetensors(_ header: String, data: Int = 8, length: UInt64? = nil) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(little: length ?? UInt64(header.utf8.count))
    return bytes + header.utf8 + [UInt8](repeating: 1, count: data)
  }

  private func entry(
    _ name: String = "a", dtype: String = "F32", shape: String = "[2]", offsets: String = "[0,8]"
  ) -> String {
    "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
  }

  @Test("are safetensors files whose headers lie")
  func headers() throws {
    #expect(try refusal(safetensors("{\(entry())}")) == nil)
    #expect(try refusal(safetensors("{ \(entry()) }  "), as: "a.safetensors") == nil)
    let deep = String(repeating: "{\"a\":", count: 100_000)
    let cases: [(String, [UInt8])] = [
      ("a length beyond the file", safetensors("{\(entry())}", length: 1000)),
      ("a length beyond memory", safetensors("{\(entry())}", length: .max)),
      ("a length of half", safetensors("{\(entry())}", length: 20)),
      ("no length", [1, 0, 0]),
      ("offsets beyond the file", safetensors("{\(entry(shape: "[3]", offsets: "[0,12]"))}")),
      ("offsets beyond memory", safetensors("{\(entry(offsets: "[0,9223372036854775807]"))}")),
      ("offsets beyond numbers", safetensors("{\(entry(offsets: "[0,99999999999999999999]"))}")),
      ("offsets in reverse", safetensors("{\(entry(shape: "[]", offsets: "[8,4]"))}")),
      ("negative offsets", safetensors("{\(entry(offsets: "[-8,0]"))}")),
      ("one offset", safetensors("{\(entry(offsets: "[8]"))}")),
      ("a shape of another size", safetensors("{\(entry(shape: "[3]"))}")),
      ("a shape beyond numbers", safetensors("{\(entry(shape: "[4294967296,4294967296,2]"))}")),
      (
        "a shape beyond numbers and 0",
        safetensors(
          "{\(entry(shape: "[0,4294967296,4294967296]", offsets: "[0,0]"))}", data: 0)
      ),
      (
        "a shape of 65 dimensions",
        safetensors(
          "{\(entry(shape: "[\(Array(repeating: "1", count: 65).joined(separator: ","))]"))}")
      ),
      ("a fraction", safetensors("{\(entry(shape: "[2.0]"))}")),
      ("an unknown type", safetensors("{\(entry(dtype: "F8_E4M3"))}")),
      ("a gap", safetensors("{\(entry(offsets: "[4,12]"))}", data: 12)),
      (
        "an overlap",
        safetensors(
          "{\(entry()),\(entry("b", offsets: "[4,12]"))}", data: 12)
      ),
      ("bytes left over", safetensors("{\(entry())}", data: 9)),
      ("a name twice", safetensors("{\(entry()),\(entry("a", offsets: "[8,16]"))}", data: 16)),
      ("an unknown field", safetensors("{\"a\":{\"x\":1}}")),
      ("a list", safetensors("{\"a\":[]}")),
      ("metadata of numbers", safetensors("{\"__metadata__\":{\"a\":1}}", data: 0)),
      ("nesting", safetensors(deep)),
      ("something after", safetensors("{\(entry())}x")),
      ("a broken escape", safetensors("{\"\\ud800\":1}")),
      (
        "no UTF-8",
        safetensors("{\"a").dropLast(8) + [0xff, 0xfe] + [UInt8](repeating: 0, count: 8)
      ),
    ]
    for (name, bytes) in cases {
      let error = try refusal(bytes, as: "a.safetensors")
      #expect(error != nil, Comment(rawValue: name))
    }
  }

  // MARK: PyTorch

  /// A file in the format before PyTorch 1.6 whose dictionary is this pickle's.
  private func old(_ pickle: [UInt8], after: [UInt8] = [0x80, 2, 0x5d, 0x2e]) -> [UInt8] {
    let magic: [UInt8] = [
      0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
    ]
    return magic + [0x80, 2, 0x4d, 0xe9, 3, 0x2e, 0x80, 2, 0x7d, 0x2e, 0x80, 2] + pickle + after
  }

  private func pickle(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test("are pickles that ask for more than weights need")
  func pickles() throws {
    let cases: [(String, String)] = [
      ("cos\nsystem\n.", "os.system"), ("cbuiltins\neval\n.", "builtins.eval"),
      ("c__builtin__\ngetattr\n}X\u{1}\0\0\0a\u{86}R.", "getattr"),
      ("ctorch\nload\n.", "torch.load"),
      ("ctorch.storage\n_load_from_bytes\n.", "_load_from_bytes"),
      ("cnumpy.core.multiarray\nscalar\n.", "dictionary"),
      ("cnumpy.core.multiarray\nload\n.", "numpy.core.multiarray.load"),
      ("cos\n\u{1b}[31msystem\n.", "os.\\u{1b}[31msystem"),
      ("i", "opcode 0x69"), ("}bb.", "lacks a value"), ("q\u{1}.", "lacks a value"),
      ("h\u{5}.", "did not keep"), ("t.", "lacks a mark"), ("(((.", "ends with 0 values"),
      ("N(0.", "lacks a value"), ("ctorch\nSize\n}R.", "calls with a dictionary"),
      ("}}R.", "calls a dictionary"), ("ctorch\nFloatStorage\n)R.", "calls a class"),
      ("]K\u{1}K\u{2}s.", "sets items of a list"), ("}(K\u{1}u.", "key without a value"),
      ("ctorch._utils\n_rebuild_tensor_v2\n)R.", "makes a tensor of something else"),
      ("(X\u{6}\0\0\0modulettQ.", "lacks a mark"),
      ("(X\u{6}\0\0\0moduletQ.", "module"), ("X\u{ff}\u{ff}\u{ff}\u{7f}a.", "bytes are needed"),
      ("}", "ends with 2 values"), ("N.", "nothing"), (")].", "ends with 2 values"),
    ]
    for (text, word) in cases {
      let bytes = text.unicodeScalars.map { UInt8($0.value) }
      let error = try refusal(old(bytes))
      #expect(
        error?.description.contains(word) == true, "\(text.debugDescription): \(error as Any)")
    }
  }

  @Test("are pickles that would take more than their bytes justify")
  func bombs() throws {
    // Lists of one another, three million values, and dictionaries that hold each other twice.
    let nested =
      [UInt8](repeating: UInt8(ascii: "]"), count: 100_000)
      + [UInt8](repeating: UInt8(ascii: "a"), count: 99_999) + pickle(".")
    #expect(try refusal(old(nested))?.description.contains("a list") == true)
    let many = pickle("(") + [UInt8](repeating: UInt8(ascii: "N"), count: 3_000_000)
    #expect(try refusal(old(many))?.description.contains("values") == true)
    var laughs = pickle("}q\0")
    for level in UInt8(1)...60 {
      laughs += pickle("}(X\u{1}\0\0\0ah") + [level - 1] + pickle("X\u{1}\0\0\0bh") + [level - 1]
      laughs += pickle("uq") + [level] + pickle("0")
    }
    laughs = pickle("(") + laughs + pickle("1h") + [60] + pickle(".")
    #expect(try refusal(old(laughs))?.description.contains("dictionar") == true)
    let own = pickle("}q\0X\u{1}\0\0\0ah\0s.")
    #expect(try refusal(old(own)) != nil)
    // Objects that make one another, and modules in each other.
    let chain =
      pickle("(") + [UInt8](repeating: 0, count: 0)
      + (0..<50_000).flatMap { _ in pickle("ccopy_reg\n_reconstructor\n") } + pickle("t")
    #expect(
      try refusal(old(pickle("ccopy_reg\n_reconstructor\n") + chain + pickle("R.")))?.description
        .contains("some object") == true)
    let module =
      "ctorch.nn\nModule\n)\u{81}}(X\u{b}\0\0\0_parameters}X\u{8}\0\0\0_modules}X\u{1}\0\0\0a"
    let begin = module.unicodeScalars.map { UInt8($0.value) }
    let deep =
      (0..<20_000).flatMap { _ in begin } + pickle("N")
      + (0..<20_000).flatMap { _ in pickle("sub") } + pickle(".")
    #expect(try refusal(old(deep))?.description.contains("without parameters") == true)
    let far = "}r\u{ff}\u{ff}\u{ff}\u{ff}j\u{ff}\u{ff}\u{ff}\u{ff}a."
    #expect(try refusal(old(far.unicodeScalars.map { UInt8($0.value) })) != nil)
  }

  @Test("are no histories of numbers, however long")
  func histories() throws {
    let list = pickle("]") + (0..<1_100_000).flatMap { _ in pickle("K\u{1}a") }
    let keys = pickle("}") + (0..<200_000).flatMap { _ in pickle("K\u{1}K\u{2}s") }
    let error = try refusal(
      old(pickle("}X\u{1}\0\0\0a") + list + pickle("sX\u{1}\0\0\0b") + keys + pickle("s.")))
    #expect(error?.description.contains("without tensors; its keys are 'a', 'b'") == true)
  }

  @Test("are deflated archives whose bytes or sizes lie")
  func packed() throws {
    let whole = [UInt8](
      try #require(FileManager.default.contents(atPath: fixture("deflated.pth"))))
    #expect(try refusal(whole) == nil)
    let directories = whole.indices.filter { whole[$0...].starts(with: [0x50, 0x4b, 1, 2]) }
    let pickle = try #require(
      directories.first {
        whole[($0 + 46)...].starts(with: Array("my run/best/data.pkl".utf8))
      })
    var checksum = whole
    checksum[pickle + 16] ^= 1
    #expect(try refusal(checksum)?.description.contains("checksum") == true)
    var size = whole
    size[pickle + 24] ^= 1
    #expect(try refusal(size)?.description.contains("cannot be unpacked") == true)
    // A gigabyte in a few hundred bytes.
    var bomb = whole
    bomb[pickle + 27] = 0x40
    #expect(try refusal(bomb)?.description.contains("would unpack") == true)
    var method = whole
    method[pickle + 10] = 12
    #expect(try refusal(method)?.description.contains("another method than deflate") == true)
  }

  /// A dictionary `{"a": tensor}` of one storage with four floats.
  private func tensor(
    offset: String = "K\0", shape: String = "K\u{4}\u{85}", strides: String = "K\u{1}\u{85}",
    count: String = "K\u{4}"
  ) -> [UInt8] {
    let text =
      "}X\u{1}\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\u{7}\0\0\0storagectorch\nFloatStorage\n"
      + "X\u{1}\0\0\0kX\u{3}\0\0\0cpu\(count)tQ\(offset)\(shape)\(strides)\u{89}NtRs."
    return text.unicodeScalars.map { UInt8($0.value) }
  }

  private func storages(count: UInt8 = 4, bytes: Int = 16) -> [UInt8] {
    [0x80, 2] + pickle("]X\u{1}\0\0\0ka.") + [count, 0, 0, 0, 0, 0, 0, 0]
      + [UInt8](repeating: 0, count: bytes)
  }

  @Test("are those whose tensors reach beyond their storages")
  func reach() throws {
    #expect(try refusal(old(tensor(), after: storages())) == nil)
    #expect(
      try refusal(old(tensor(offset: "K\u{3}", shape: "K\u{1}\u{85}"), after: storages())) == nil)
    let huge = "J\u{ff}\u{ff}\u{ff}\u{7f}"
    let negative = "J\u{ff}\u{ff}\u{ff}\u{ff}"
    let cases: [(String, [UInt8])] = [
      ("one too long", old(tensor(shape: "K\u{5}\u{85}"), after: storages())),
      ("one too far", old(tensor(offset: "K\u{1}"), after: storages())),
      ("a negative offset", old(tensor(offset: negative), after: storages())),
      ("a stride too long", old(tensor(strides: "K\u{2}\u{85}"), after: storages())),
      ("a negative stride", old(tensor(strides: "\(negative)\u{85}"), after: storages())),
      ("a negative shape", old(tensor(shape: "\(negative)\u{85}"), after: storages())),
      ("fewer strides", old(tensor(strides: ")"), after: storages())),
      (
        "a product beyond numbers",
        old(
          tensor(
            shape: "(\(huge)\(huge)\(huge)t", strides: "(\(huge)\(huge)\(huge)t"), after: storages()
        )
      ),
      (
        "far more than the file",
        old(
          tensor(shape: "(\(huge)\(huge)t", strides: "(K\0K\0t"), after: storages())
      ),
      ("another length", old(tensor(), after: storages(count: 3))),
      ("a length beyond memory", old(tensor(count: huge), after: storages())),
      ("too few bytes", old(tensor(), after: storages(bytes: 15))),
      ("no storages", old(tensor())),
    ]
    for (name, bytes) in cases {
      #expect(try refusal(bytes) != nil, Comment(rawValue: name))
    }
  }

  @Test("are zip archives that are compressed, cut off or no state dictionaries")
  func archives() throws {
    let whole = [UInt8](
      try #require(FileManager.default.contents(atPath: fixture("protocol4.pth"))))
    #expect(try refusal(whole) == nil)
    #expect(try refusal(Array(whole.dropLast()))?.description.contains("end") == true)
    // The method of the first entry in the directory, which is that of data.pkl.
    let directory = try #require(
      whole.indices.first { whole[$0...].starts(with: [0x50, 0x4b, 1, 2]) })
    var deflated = whole
    deflated[directory + 10] = 8
    #expect(try refusal(deflated)?.description.contains("compressed form") == true)
    var encrypted = whole
    encrypted[directory + 8] |= 1
    #expect(try refusal(encrypted)?.description.contains("encrypted form") == true)
    let empty = [0x50, 0x4b, 5, 6] + [UInt8](repeating: 0, count: 18)
    #expect(try refusal(empty)?.description.contains("data.pkl") == true)
  }
}
