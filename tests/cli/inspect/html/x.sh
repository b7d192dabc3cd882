printf '<!DOCTYPE html>\n<html><body>404</body></html>\n' > x.pt && ckpt inspect x.pt
