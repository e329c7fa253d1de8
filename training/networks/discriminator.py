"""The discriminator of Lobato et al. (2024), "Discriminator architecture": each output judges 70x70 pixels."""

from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Map images (batch, 1, H, W) to C (batch, 1, H / 8, W / 8), larger where a patch looks like that of a true image.

    That of pix2pix: 4x4 convolutions, three of them strided, leaky ReLU; with instance normalisation, and without zero
    padding. As the paper has 32x32 outputs for 256x256 pixels, borders are padded all the same: by reflection [R].
    It sees the image alone, as C(y) of eqs. 2 and 3 does, though eq. 15 writes the distorted one beside it [R].

    Parameters
    ----------
    width : channels of the first convolution; the next have 2, 4 and 8 times as many.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        inputs = 1
        for number, (outputs, stride) in enumerate(((width, 2), (2 * width, 2), (4 * width, 2), (8 * width, 1))):
            parts += [nn.ReflectionPad2d(1 if stride == 2 else (1, 2, 1, 2)), nn.Conv2d(inputs, outputs, 4, stride)]
            parts += [nn.InstanceNorm2d(outputs, affine=True)] if number else []
            parts.append(nn.LeakyReLU(0.2))
            inputs = outputs
        self.layers = nn.Sequential(*parts, nn.ReflectionPad2d((1, 2, 1, 2)), nn.Conv2d(inputs, 1, 4))

    def forward(self, x: Tensor) -> Tensor:
        judged: Tensor = self.layers(x)
        return judged
