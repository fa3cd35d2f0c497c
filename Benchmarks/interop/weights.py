#!/usr/bin/env python3
"""Weights of other toolkits in and out: written by the original, read and run here, written back, loaded strictly.

For each network with drawn weights: the original writes its file or folder; `atrous predict` runs it on a photograph by
itself alone, and the share of pixels with the original's label is counted; `atrous import` and `atrous export --as`
write it back, and the original loads that with `strict=True` and answers: the largest difference in multiples of the
scores' deviation. Prints a table as Markdown; the exit status is 1 if labels agree at fewer than 99.99 % of pixels or
scores differ by more than 1e-5. Networks of transformers go through their image processor, which resizes the
photograph for those called so. Backbones of timm (and torchvision's VGG, which timm reads) stand below a DeepLabV3 and are
compared map by map after the way back. Needs torch, torchvision, segmentation-models-pytorch, transformers, timm, pillow
and numpy; MMSegmentation's rows need mmsegmentation, mmengine and mmcv-lite.
"""

import argparse
import importlib
import os
import re
import subprocess
import sys
import types
import warnings

FAMILIES = ("torchvision", "smp", "hf", "mmsegmentation", "timm")
# Where less is asked for: DPT's own labels in float32 and in float64 agree at 99.98 %.
LEAST = {"DPT": 0.9995}


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--atrous", default=".build/release/atrous")
    result.add_argument("--photo", required=True, help="a photograph of at least 352 pixels a side")
    result.add_argument("--folder", default="out/interop/weights", help="where files go, and stay")
    result.add_argument("--only", default="", help="networks whose name has this")
    result.add_argument("--families", nargs="+", default=FAMILIES, choices=FAMILIES)
    return result.parse_args()


def networks():
    """Each network's name, family, what builds it, and the module that classes pixels."""
    def torchvision(name, classes=21):
        def build():
            models = importlib.import_module("torchvision.models.segmentation")
            extra = {} if name.startswith("lraspp") else {"aux_loss": False}
            return getattr(models, name)(weights=None, weights_backbone=None, num_classes=classes, **extra)
        last = {"deeplabv3": "classifier.4", "fcn": "classifier.4", "lraspp": "classifier.high_classifier"}
        return build, last[name.split("_")[0]]

    def smp(decoder, encoder="resnet34", classes=19, **settings):
        def build():
            toolkit = importlib.import_module("segmentation_models_pytorch")
            return getattr(toolkit, decoder)(encoder, encoder_weights=None, classes=classes, **settings)
        return build, "segmentation_head.0"

    def hf(kind, last, **settings):
        def build():
            toolkit = importlib.import_module("transformers")
            for part in ("backbone_config",):
                if part in settings:
                    name, values = settings[part]
                    settings[part] = getattr(toolkit, name)(**values)
            model = getattr(toolkit, kind)
            return model(model.config_class(num_labels=19, **settings))
        return build, last

    def mmsegmentation(backbone, head, auxiliary=None, out_channels=None, **settings):
        norm = {"type": "BN", "requires_grad": True}
        model = {
            "type": "EncoderDecoder", "pretrained": None, "backbone": backbone, "train_cfg": {},
            "test_cfg": {"mode": "whole"},
            "decode_head": {"num_classes": 19, "norm_cfg": norm, "align_corners": False, "dropout_ratio": 0.1, **head},
            "data_preprocessor": {
                "type": "SegDataPreProcessor", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375],
                "bgr_to_rgb": True, "pad_val": 0, "seg_pad_val": 255}, **settings}
        if auxiliary:
            model["auxiliary_head"] = {
                "type": "FCNHead", "num_classes": 19, "norm_cfg": norm, "align_corners": False, "num_convs": 1,
                "concat_input": False, "channels": 64, "loss_decode": {"type": "CrossEntropyLoss", "loss_weight": 0.4},
                **auxiliary}

        def build():
            return mmseg_model(model)
        return build, "decode_head.conv_seg"

    def resnet(kind="ResNetV1c", depth=50, stride=8, **settings):
        rates = [max(1, size // stride) for size in (4, 8, 16, 32)]
        return {
            "type": kind, "depth": depth, "num_stages": 4, "out_indices": (0, 1, 2, 3), "dilations": rates,
            "strides": [1] + [2 if size <= stride else 1 for size in (8, 16, 32)], "style": "pytorch",
            "norm_cfg": {"type": "BN", "requires_grad": True}, "contract_dilation": True, **settings}

    def timm(name, **settings):
        def build():
            return importlib.import_module("timm").create_model(name, features_only=True, **settings)
        return build, None

    segformer = {"depths": [2, 2, 2, 2], "hidden_sizes": [32, 64, 160, 256], "decoder_hidden_size": 256}
    stages = {"out_features": [f"stage{number}" for number in range(1, 5)]}
    convnext = {"depths": [3, 3, 9, 3], "hidden_sizes": [96, 192, 384, 768], **stages}
    head = "decode_head.classifier"
    for name in ("HF SegFormer-B0", "HF SegFormer-B0, resized"):
        yield name, "hf", *hf("SegformerForSemanticSegmentation", head, **segformer)
    yield "HF UPerNet, Swin-T", "hf", *hf(
        "UperNetForSemanticSegmentation", head, backbone_config=("SwinConfig", stages), hidden_size=128)
    yield "HF UPerNet, ConvNeXt-T", "hf", *hf(
        "UperNetForSemanticSegmentation", head, backbone_config=("ConvNextConfig", convnext),
        hidden_size=128)
    for name, stride in (("HF DeepLabV3, MobileNetV2", 16), ("HF DeepLabV3, MobileNetV2, resized", 8)):
        yield name, "hf", *hf(
            "MobileNetV2ForSemanticSegmentation", "segmentation_head.classifier.convolution", output_stride=stride)
    yield "HF DPT", "hf", *hf(
        "DPTForSemanticSegmentation", "head.head.4", hidden_size=192, num_hidden_layers=12, num_attention_heads=3,
        intermediate_size=768, backbone_out_indices=[2, 5, 8, 11], neck_hidden_sizes=[48, 96, 192, 192],
        fusion_hidden_size=64, image_size=352)
    for name in ("fcn_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
        yield f"torchvision {name}", "torchvision", *torchvision(name)
    for decoder in ("Unet", "UnetPlusPlus", "Linknet", "FPN", "PSPNet", "PAN", "DeepLabV3", "DeepLabV3Plus", "UPerNet",
                    "Segformer"):
        yield f"SMP {decoder}, ResNet-34", "smp", *smp(decoder)
    for decoder in ("Unet", "DeepLabV3", "DeepLabV3Plus", "PAN"):
        yield f"SMP {decoder}, ResNet-50", "smp", *smp(decoder, "resnet50")
    for decoder in ("Unet", "DeepLabV3Plus", "PAN"):
        yield f"SMP {decoder}, tu-ResNet-50", "smp", *smp(decoder, "tu-resnet50")
    for encoder in ("densenet121", "mobilenet_v2", "resnext50_32x4d", "tu-resnet18", "mit_b0"):
        yield f"SMP Unet, {encoder}", "smp", *smp("Unet", encoder)
    for encoder in ("mobilenet_v2", "resnet18"):
        yield f"SMP DeepLabV3Plus, {encoder}", "smp", *smp("DeepLabV3Plus", encoder)
    yield "SMP Segformer, mit_b0", "smp", *smp("Segformer", "mit_b0")
    yield "SMP FPN, densenet169", "smp", *smp("FPN", "densenet169")
    yield "SMP UPerNet, mobilenet_v2", "smp", *smp("UPerNet", "mobilenet_v2")
    yield "SMP Unet of depth 4, scSE", "smp", *smp(
        "Unet", "resnet18", encoder_depth=4, decoder_channels=(64, 48, 32, 16), decoder_attention_type="scse")
    yield "SMP UnetPlusPlus of depth 3, bilinear", "smp", *smp(
        "UnetPlusPlus", "resnet18", encoder_depth=3, decoder_channels=(32, 24, 16), decoder_interpolation="bilinear")
    yield "SMP FPN, joined", "smp", *smp("FPN", "resnet18", decoder_merge_policy="cat", decoder_segmentation_channels=64)
    yield "SMP DeepLabV3, stride 16, separable", "smp", *smp(
        "DeepLabV3", "resnet18", encoder_output_stride=16, decoder_aspp_separable=True, decoder_atrous_rates=(6, 12, 18))
    yield "SMP DeepLabV3Plus, stride 8", "smp", *smp("DeepLabV3Plus", "resnet50", encoder_output_stride=8)
    for encoder in ("efficientnet-b0", "efficientnet-b2", "tu-efficientnet_b1", "tu-tf_efficientnet_b0", "vgg16_bn",
                    "vgg11_bn", "tu-xception41"):
        yield f"SMP Unet, {encoder}", "smp", *smp("Unet", encoder)
    for encoder in ("efficientnet-b0", "efficientnet-b4", "tu-xception65"):
        yield f"SMP DeepLabV3Plus, {encoder}", "smp", *smp("DeepLabV3Plus", encoder)
    for encoder in ("xception", "tu-regnety_002", "tu-regnetx_004_tv"):
        yield f"SMP Unet, {encoder}", "smp", *smp("Unet", encoder)
    for encoder in ("tu-regnetx_002", "tu-regnety_008"):
        yield f"SMP DeepLabV3Plus, {encoder}", "smp", *smp("DeepLabV3Plus", encoder)
    yield "SMP DeepLabV3, efficientnet-b1", "smp", *smp("DeepLabV3", "efficientnet-b1")
    yield "SMP FPN, vgg13_bn", "smp", *smp("FPN", "vgg13_bn")
    aspp = {"type": "ASPPHead", "in_channels": 2048, "in_index": 3, "channels": 128, "dilations": (1, 12, 24, 36)}
    plus = {"type": "DepthwiseSeparableASPPHead", "in_channels": 2048, "in_index": 3, "channels": 128,
            "dilations": (1, 12, 24, 36), "c1_in_channels": 256, "c1_channels": 48}
    helper = {"in_channels": 1024, "in_index": 2}
    psp = {"type": "PSPHead", "in_channels": 2048, "in_index": 3, "channels": 128, "pool_scales": (1, 2, 3, 6)}
    fcn = {"type": "FCNHead", "in_channels": 512, "in_index": 3, "channels": 64, "num_convs": 2, "concat_input": True}
    yield "MMSegmentation DeepLabV3, ResNetV1c-50", "mmsegmentation", *mmsegmentation(resnet(), aspp, helper)
    yield "MMSegmentation DeepLabV3+, ResNetV1d-50", "mmsegmentation", *mmsegmentation(
        resnet("ResNetV1d", stride=16), plus, helper)
    yield "MMSegmentation PSPNet, ResNet-101", "mmsegmentation", *mmsegmentation(
        resnet("ResNet", 101, contract_dilation=False), psp, helper)
    yield "MMSegmentation FCN, ResNetV1c-18, corners", "mmsegmentation", *mmsegmentation(
        resnet(depth=18), {**fcn, "align_corners": True})
    yield "MMSegmentation FCN of one score", "mmsegmentation", *mmsegmentation(
        resnet(depth=18), {**fcn, "num_classes": 2, "out_channels": 1, "threshold": 0.4})
    yield "MMSegmentation SegFormer-B0", "mmsegmentation", *mmsegmentation(
        {"type": "MixVisionTransformer", "embed_dims": 32, "num_stages": 4, "num_layers": [2, 2, 2, 2],
         "num_heads": [1, 2, 5, 8], "patch_sizes": [7, 3, 3, 3], "sr_ratios": [8, 4, 2, 1],
         "out_indices": (0, 1, 2, 3), "mlp_ratio": 4, "qkv_bias": True, "drop_path_rate": 0.1},
        {"type": "SegformerHead", "in_channels": [32, 64, 160, 256], "in_index": [0, 1, 2, 3], "channels": 128})
    yield "MMSegmentation UPerNet, Swin-T", "mmsegmentation", *mmsegmentation(
        {"type": "SwinTransformer", "embed_dims": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24],
         "window_size": 7, "norm_cfg": {"type": "LN", "requires_grad": True}},
        {"type": "UPerHead", "in_channels": [96, 192, 384, 768], "in_index": [0, 1, 2, 3], "channels": 128,
         "pool_scales": (1, 2, 3, 6)}, {"in_channels": 384, "in_index": 2})
    for name in ("resnet50", "resnet34", "resnet50d", "xception41", "xception65", "xception71", "efficientnet_b0",
                 "efficientnet_b3", "tf_efficientnet_b1", "convnext_tiny", "regnetx_002", "regnety_008",
                 "regnety_008_tv"):
        yield f"timm {name}", "timm", *timm(name)
    for name in ("resnet50", "xception65", "efficientnet_b0", "tf_efficientnet_b0", "regnety_002"):
        yield f"timm {name}, stride 8", "timm", *timm(name, output_stride=8)
    yield "SMP Unet of one class", "smp", *smp("Unet", "resnet18", classes=1)


def mmseg_model(settings):
    """A network of MMSegmentation's by its settings; what it needs of compiled code is never called."""
    compiled = types.ModuleType("mmcv._ext")
    compiled.__getattr__ = lambda name: None
    sys.modules.setdefault("mmcv._ext", compiled)
    config = importlib.import_module("mmengine").ConfigDict(settings)
    importlib.import_module("mmseg.utils").register_all_modules()
    network = importlib.import_module("mmseg.registry").MODELS.build(config)
    network.settings = settings
    return network


def scores(torch, network, image):
    with torch.inference_mode():
        if hasattr(network, "encode_decode"):
            return network.encode_decode(image, [{"img_shape": tuple(image.shape[2:])}])
        result = network(image)
    if hasattr(result, "logits"):
        return result.logits
    return result["out"] if isinstance(result, dict) else result


def drawn(torch, network, last, image):
    """The network with norms that do something, and classes that all have their share of the photograph."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    network.eval()
    if last is None:
        return network
    classifier = network.get_submodule(last)
    with torch.no_grad():
        classifier.bias -= scores(torch, network, image).mean((0, 2, 3))
    return network


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        text = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()
        raise RuntimeError(next((line for line in text if line.startswith("error")), text[-1]))
    return done.stdout


def processor(name, size):
    """What transformers does to an image: as it is, or another size for those called so."""
    toolkit = importlib.import_module("transformers")
    kind = toolkit.SegformerImageProcessor
    if "resized" in name:
        return kind(do_resize=True, size={"height": 256, "width": 320})
    return kind(do_resize=False, size={"height": size[1], "width": size[0]})


def compared(options, torch, name, family, build, last, photo, image):
    import numpy
    from PIL import Image
    torch.manual_seed(0)
    if family == "hf":
        picture = Image.open(photo)
        if "DPT" in name:
            # Its positions are those of squares.
            picture = picture.crop((0, 0, 352, 352))
            photo = os.path.join(options.folder, "square.png")
            picture.save(photo)
        images = processor(name, picture.size)
        image = images(images=picture, return_tensors="pt")["pixel_values"]
    if family == "smp" and "xception" in name:
        # What timm's Xceptions were trained with, which is taken for them.
        levels = numpy.asarray(Image.open(photo).convert("RGB")) / 127.5 - 1
        image = torch.tensor(levels.transpose(2, 0, 1)[None], dtype=torch.float32)
    network = drawn(torch, build(), last, image)
    if family == "timm":
        return backbone(options, torch, name, network, build, image)
    folder = os.path.join(options.folder, "".join(c if c.isalnum() else "_" for c in name))
    os.makedirs(folder, exist_ok=True)
    if family in ("smp", "hf"):
        written = os.path.join(folder, "original")
        network.save_pretrained(written)
        if family == "hf":
            images.save_pretrained(written)
    elif family == "mmsegmentation":
        written = os.path.join(folder, "original.pth")
        config = importlib.import_module("mmengine").Config({"model": network.settings})
        classes = [f"class {number}" for number in range(network.settings["decode_head"]["num_classes"])]
        meta = {"cfg": config.pretty_text, "dataset_meta": {"classes": classes}, "mmengine_version": "0.10.7"}
        torch.save({"meta": meta, "state_dict": network.state_dict()}, written)
    else:
        written = os.path.join(folder, "original.pth")
        torch.save(network.state_dict(), written)
    theirs = scores(torch, network, image)
    threshold = network.decode_head.threshold if family == "mmsegmentation" else 0.5
    labels = theirs[0].argmax(0) if theirs.shape[1] > 1 else (theirs[0, 0].sigmoid() > threshold).long()
    if family == "hf":
        with torch.inference_mode():
            labels = images.post_process_semantic_segmentation(network(image), target_sizes=[picture.size[::-1]])[0]
    run(options.atrous, "predict", written, photo, "--output", folder)
    stem = os.path.splitext(os.path.basename(photo))[0]
    own = numpy.array(Image.open(os.path.join(folder, f"{stem}_labels.png")))
    equal = float((own == labels.numpy()).mean())
    run(options.atrous, "import", written, "--output", os.path.join(folder, "run"))
    back = os.path.join(folder, "back.pth" if family in ("torchvision", "mmsegmentation") else "back")
    run(options.atrous, "export", os.path.join(folder, "run"), "--as", family, "--output", back)
    if family == "hf":
        again, told = type(network).from_pretrained(back, output_loading_info=True)
        again.eval()
        wrong = {key: names for key, names in told.items() if names}
        if wrong:
            raise RuntimeError(f"not loaded strictly: {wrong}")
    elif family == "smp":
        again = importlib.import_module("segmentation_models_pytorch").from_pretrained(back, strict=True).eval()
    elif family == "mmsegmentation":
        config = importlib.import_module("mmengine").Config.fromfile(back.replace(".pth", ".py"))
        again = mmseg_model(config.model).eval()
        again.load_state_dict(torch.load(back, weights_only=True)["state_dict"], strict=True)
    else:
        again = build().eval()
        again.load_state_dict(torch.load(back, weights_only=True), strict=True)
    answer = scores(torch, again, image)
    if theirs.shape[1] == 1:
        # What was a sigmoid of one score is a softmax of two.
        answer = answer[:, 1:] - answer[:, :1]
        answer += torch.tensor(threshold).logit()
    return equal, float((answer - theirs).abs().max() / theirs.std()), len(labels.unique())


def backbone(options, torch, name, network, build, image):
    """A backbone's file in and out: its maps after the way back; nothing is labelled."""
    folder = os.path.join(options.folder, "".join(c if c.isalnum() else "_" for c in name))
    os.makedirs(folder, exist_ok=True)
    own = re.sub(r"^timm (tf_)?|, stride 8$", "", name)
    keys = [f"name: {own.removesuffix('d')}"]
    regnet = re.fullmatch(r"regnet([xy])_0(\d)(\d)(_tv)?", own)
    if regnet:
        kind, whole, tenth, rounds = regnet.groups()
        size = f"{tenth}00mf" if whole == "0" else f"{whole}_{tenth}gf"
        keys = [f"name: regnet_{kind}_{size}", "stemMap: true",
                f"rounding: {'torchvision' if rounds else 'nearest'}"]
    if "resnet50d" in name:
        keys.append("deepStem: true, averageShortcuts: true")
    if "resnet" in name:
        keys.append("stemMap: true")
    if "efficientnet" in name:
        keys.append("lastConvolution: false, " + (
            "padding: tensorflow, eps: 1e-3" if "tf_" in name else "eps: 1e-5"))
    if "stride 8" in name:
        keys.append("outputStride: 8")
    torch.save(network.state_dict(), os.path.join(folder, "original.pth"))
    keys.append(f"weights: {os.path.abspath(os.path.join(folder, 'original.pth'))}")
    with open(os.path.join(folder, "network.yaml"), "w", encoding="utf-8") as file:
        file.write(f"model: {{backbone: {{{', '.join(keys)}}}, head: {{name: fcn}}, classes: 3}}\n")
        file.write("data: {normalization: imagenet, classes: [a, b, c]}\n")
    back = os.path.join(folder, "back.pth")
    run(options.atrous, "export", os.path.join(folder, "network.yaml"), "--as", "timm", "--output", back)
    again = build().eval()
    again.load_state_dict(torch.load(back, weights_only=True), strict=True)
    with torch.inference_mode():
        pairs = list(zip(network(image), again(image)))
    return None, max(float((a - b).abs().max() / b.std()) for a, b in pairs), len(pairs)


def main():
    options = arguments()
    warnings.filterwarnings("ignore")
    try:
        import numpy
        import torch
        from PIL import Image
    except ImportError as error:
        sys.exit(f"{error}; expected torch, torchvision, segmentation-models-pytorch, pillow and numpy (pip install)")
    os.makedirs(options.folder, exist_ok=True)
    picture = Image.open(options.photo).convert("RGB")
    width, height = (min(480, side // 32 * 32) for side in picture.size)
    picture = picture.crop((0, 0, width, height))
    photo = os.path.join(options.folder, "photo.png")
    picture.save(photo)
    mean, deviation = numpy.array([0.485, 0.456, 0.406]), numpy.array([0.229, 0.224, 0.225])
    levels = (numpy.asarray(picture) / 255.0 - mean) / deviation
    image = torch.tensor(levels.transpose(2, 0, 1)[None], dtype=torch.float32)
    failed = False
    print("| network | equal labels | classes or maps | difference after the way back |\n|---|---|---|---|", flush=True)
    for name, family, build, last in networks():
        if family not in options.families or options.only.lower() not in name.lower():
            continue
        try:
            equal, difference, classes = compared(options, torch, name, family, build, last, photo, image)
            share = "–" if equal is None else f"{100 * equal:.4f} %"
            cells = f"{share} | {classes} | {difference:.1e}"
            least = next((share for part, share in LEAST.items() if part in name), 0.9999)
            failed |= (equal or 1) < least or difference > 1e-5
        except ImportError as error:
            cells = f"left out: {error} | | "
        except Exception as error:  # one network's failure is a row
            cells = f"{(str(error).strip() or type(error).__name__).splitlines()[0][:300]} | | "
            failed = True
        print(f"| {name} | {cells} |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
