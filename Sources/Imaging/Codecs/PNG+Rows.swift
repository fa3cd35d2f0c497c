import CSPNG
import Files

extension PNG {
  /// Writes a grey PNG of 16 bits as rows come, which says that it is a result; a reader never finds a part of it.
  ///
  /// - Parameter body: Gives the rows of pixels to what it is given, from top to bottom.
  /// - Throws: What `body` throws; ``ImageError`` or ``WriteError`` for what cannot be written.
  static func writeGray(
    _ path: String, _ size: Size, _ body: (_ add: ([UInt16]) throws -> Void) throws -> Void
  ) throws {
    guard let context = spng_ctx_new(Int32(SPNG_CTX_ENCODER.rawValue)) else {
      throw ImageError.unwritable(file: path, reason: "not enough memory")
    }
    defer { spng_ctx_free(context) }
    func check(_ status: Int32) throws {
      guard status == 0 else {
        throw ImageError.unwritable(file: path, reason: String(cString: spng_strerror(status)))
      }
    }
    // libspng hands its bytes to a function of C, which keeps them until the row is over.
    let bytes = Bytes()
    let user = Unmanaged.passUnretained(bytes).toOpaque()
    try check(
      spng_set_png_stream(
        context,
        { _, user, source, length in
          guard let user, let source else { return Int32(SPNG_IO_ERROR.rawValue) }
          Unmanaged<Bytes>.fromOpaque(user).takeUnretainedValue().waiting.append(
            contentsOf: UnsafeRawBufferPointer(start: source, count: length))
          return 0
        }, user))
    var header = spng_ihdr()
    (header.width, header.height) = (UInt32(size.width), UInt32(size.height))
    (header.bit_depth, header.color_type) = (16, 0)
    try check(spng_set_ihdr(context, &header))
    // As ``PNG/encoded(_:_:colorType:depth:palette:isSmooth:isOutput:file:)`` chooses.
    try check(spng_set_option(context, SPNG_IMG_COMPRESSION_LEVEL, 3))
    try check(
      spng_set_option(
        context, SPNG_FILTER_CHOICE,
        Int32(SPNG_FILTER_CHOICE_SUB.rawValue | SPNG_FILTER_CHOICE_UP.rawValue)))
    var mark = spng_text()
    mark.type = Int32(SPNG_TEXT.rawValue)
    withUnsafeMutableBytes(of: &mark.keyword) { $0.copyBytes(from: Array("Software".utf8)) }
    var text = Array(OutputMark.text.utf8CString)
    try text.withUnsafeMutableBufferPointer { text in
      mark.text = text.baseAddress
      mark.length = text.count - 1
      try check(spng_set_text(context, &mark, 1))
      try check(
        spng_encode_image(
          context, nil, 0, Int32(SPNG_FMT_PNG.rawValue),
          Int32(SPNG_ENCODE_PROGRESSIVE.rawValue | SPNG_ENCODE_FINALIZE.rawValue)))
    }
    try AtomicFile.write(path) { file in
      var isOver = false
      func flush() throws {
        try file.append(bytes.waiting)
        bytes.waiting.removeAll(keepingCapacity: true)
      }
      try body { row in
        let status = row.withUnsafeBytes { spng_encode_row(context, $0.baseAddress, $0.count) }
        isOver = status == Int32(SPNG_EOI.rawValue)
        if !isOver { try check(status) }
        if bytes.waiting.count > 1 << 20 || isOver { try flush() }
      }
      guard isOver else { throw ImageError.unwritable(file: path, reason: "rows are missing") }
    }
  }

  /// Bytes that wait to be written.
  private final class Bytes { var waiting: [UInt8] = [] }
}
