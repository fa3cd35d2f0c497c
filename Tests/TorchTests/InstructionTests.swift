import Foundation
import TestSupport
import Testing
import Torch

@Suite("Instruction sets of the kernels")
struct InstructionTests {
  @Test("are the best of the processor, and portable at the least")
  func best() {
    #expect(Engine.kernels == Engine.kernelBuilds.first && Engine.kernelBuilds.last == "portable")
  }

  @Test("are limited by ATROUS_ISA: better ones are as if the processor lacked them")
  func limited() async {
    await #expect(processExitsWith: .success) {
      setenv("ATROUS_ISA", "portable", 1)
      precondition(Engine.kernelBuilds == ["portable"] && Engine.kernels == "portable")
      precondition(!InferencePrecision.bfloat16.isSupported && !InferencePrecision.int8.isSupported)
      let size = ConvolutionCase.manyTiles
      let (x, weight) = (size.image, size.weight)
      withoutGradients {
        precondition(error(size.packed(weight, nil)(x), size.sum(x, weight)) < 1e-5)
      }
    }
  }

  @Test(
    "multiply whole numbers by the best of those that ATROUS_ISA allows",
    .enabled(if: Processor.hasVNNI, "the processor lacks AVX_VNNI"))
  func whole() async {
    await #expect(processExitsWith: .success) {
      setenv("ATROUS_ISA", "avx2", 1)
      precondition(Engine.wholeBuilds == ["avx_vnni"])
      precondition(InferencePrecision.int8.isSupported && !InferencePrecision.bfloat16.isSupported)
    }
  }

  @Test("that the processor lacks, or that are none, are refused by name")
  func unknown() async {
    await #expect(processExitsWith: .success) {
      setenv("ATROUS_ISA", "mmx", 1)
      precondition(Engine.kernels == "none")
      do {
        _ = try attempt {
          withoutGradients {
            let size = ConvolutionCase.manyTiles
            return size.packed(size.weight, nil)(size.image)
          }
        }
        preconditionFailure("was taken")
      } catch {
        let message = "\(error)"
        precondition(
          message.contains(
            "ATROUS_ISA is 'mmx', expected an instruction set that this processor has: ")
            && message.contains("portable"), message)
      }
    }
  }
}
