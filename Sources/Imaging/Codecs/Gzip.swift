import CDeflate

/// The bytes of an image file, unpacked if gzip has packed them, as STARE comes.
///
/// - Parameter budget: What the unpacked bytes may take, header and all.
/// - Throws: ``ImageError`` if the file cannot be read or unpacked.
func readImageFile(_ path: String, _ budget: Int) throws -> [UInt8] {
  let bytes = try readFile(path)
  guard bytes.starts(with: [0x1F, 0x8B]) else { return bytes }
  func damaged(_ reason: String) -> ImageError {
    .damaged(file: path, format: "gzip", reason: reason)
  }
  guard bytes.count >= 18 else { throw damaged("the end is missing") }
  // The last four bytes are the size of what is packed.
  let size = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
  // Deflate packs at most 1032 to 1, so that more is no honest size.
  guard size <= budget, size <= 1032 * bytes.count else {
    throw damaged("it announces \(size) bytes, the memory budget is \(budget)")
  }
  guard let decompressor = libdeflate_alloc_decompressor() else {
    throw ImageError.unreadable(file: path, reason: "there is no memory to unpack it")
  }
  defer { libdeflate_free_decompressor(decompressor) }
  var result = LIBDEFLATE_SUCCESS
  let unpacked = [UInt8](unsafeUninitializedCapacity: max(size, 1)) { buffer, count in
    var written = 0
    result = bytes.withUnsafeBytes {
      libdeflate_gzip_decompress(
        decompressor, $0.baseAddress, $0.count, buffer.baseAddress, size, &written)
    }
    count = result == LIBDEFLATE_SUCCESS ? written : 0
  }
  guard result == LIBDEFLATE_SUCCESS else { throw damaged("it cannot be unpacked") }
  return unpacked
}
