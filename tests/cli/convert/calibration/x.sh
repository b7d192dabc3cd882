# By way of other layouts into either kind of folder: the same text files again, the same values.
for folder in 0.3.3-sine 0.3.3-picky 0.3.3-gaps 0.1.1-sine; do
    ckpt convert "$DATA/blackit/$folder" x.h5 --overwrite && ckpt convert x.h5 $folder --to blackit || exit
    for file in $folder/*; do
        cmp -s "$file" "$DATA/blackit/$folder/$(basename "$file")" && echo "$file: the same" || echo "$file: written anew"
    done
done
ckpt convert "$DATA/blackit/0.3.3-sine" database --to blackit-sqlite && ckpt convert database again --to blackit && cmp again/calibration_results.csv 0.3.3-sine/calibration_results.csv && cmp again/calibration_params.json 0.3.3-sine/calibration_params.json && echo "by SQLite: the same"
ckpt convert "$DATA/run/epoch-40.pt" no --to blackit; echo "exit $?"
