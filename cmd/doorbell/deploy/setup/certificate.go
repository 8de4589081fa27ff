package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	issuer       = "Doorbell setup"     // tells a certificate of ours from one that an operator put there
	validFor     = 397 * 24 * time.Hour // what browsers accept at most
	renewBefore  = 30 * 24 * time.Hour  // of its end
	clockMayDiff = time.Hour            // of who connects
)

// stale reports whether the gateway's certificate has to be made: there is none, or it is one of ours that ends soon. One
// that an operator put there is never touched.
func stale(file string, now time.Time) bool {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return true
	}
	pair, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		return false // what we cannot read is not ours; the gateway says what is wrong with it
	}
	return pair.Leaf.Issuer.CommonName == issuer && pair.Leaf.NotAfter.Sub(now) < renewBefore
}

// certificate makes a key and a certificate that it signs itself, one after the other in PEM.
func certificate(hosts []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: issuer},
		NotBefore: now.Add(-clockMayDiff), NotAfter: now.Add(validFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err == nil {
		err = pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	}
	return out.Bytes(), err
}
