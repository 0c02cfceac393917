#!/bin/sh
# Repeats the training of this model: sh examples/srgan/repeat.sh, in the root of a built checkout.
# Wants apt-get and dpkg-deb for the photographs, pip for VGG16's weights, and npm run setup:torch.
set -eu
newest() { ls -d "out/store/runs/$1/checkpoints/"* | tail -n 1; }

mkdir -p out/validation
for name in colosseum hawa-mahal hedgehog raccoon red-panda; do
  cp "examples/photographs/held-out/$name.jpg" out/validation
done
npx fourfold vgg fetch --store out/weights

node examples/srresnet-mse/collect.mjs out/free-photographs examples/srgan/photographs.csv
cp examples/photographs/train/grace-hopper.jpg out/free-photographs
npx fourfold prepare --images out/free-photographs --out out/free-shards --tile 480
npx fourfold train examples/srgan/config.yaml
# Its moving average, which the next stage starts from.
node examples/srresnet-mse/ship.mjs "$(newest srgan)" out/srgan-1

node examples/srresnet-mse/collect.mjs out/photographs examples/srgan/tiles.csv
node examples/srgan/tiles.mjs out/photographs out/tiles
npx fourfold prepare --images out/tiles --out out/tile-shards
for stage in 2 3 4; do npx fourfold train "examples/srgan/config-$stage.yaml"; done
npx fourfold blend examples/srresnet-mse/checkpoint "$(newest srgan-4)" --alpha 0.9 --out out/srgan-blend
for stage in 5 6; do npx fourfold train "examples/srgan/config-$stage.yaml"; done
npx fourfold blend examples/srresnet-mse/checkpoint "$(newest srgan-6)" --alpha 0.9 --out out/srgan-shipped
node examples/srresnet-mse/ship.mjs out/srgan-shipped/checkpoints/* examples/srgan
node examples/srgan/curves.mjs "$(newest srgan-5)" "$(newest srgan-6)"
