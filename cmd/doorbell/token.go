package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"doorbell/orders"
	"doorbell/web/auth"
)

func tokenCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	var (
		role, sub, client string
		restaurants       []string
		ttl               time.Duration
	)
	cmd := &cobra.Command{
		Use: "token", Short: "Print one access token and nothing else", Args: cobra.NoArgs,
		Example: "doorbell token --role customer --sub cus_1\ndoorbell token --role merchant --sub mer_1 --restaurant res_1 --ttl 8h",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if envErr != nil {
				return envErr
			}
			secret, err := cfg.secret()
			if err != nil {
				return err
			}
			now := time.Now()
			text, err := auth.Mint(secret, auth.Claims{
				Issuer: cfg.JWTIssuer, Audience: cfg.JWTAudience, Subject: sub, Role: orders.Role(role), Restaurants: restaurants,
				Client: client, IssuedAt: now, ExpiresAt: now.Add(ttl),
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", "", "customer, merchant, courier, payment or ops")
	f.StringVar(&sub, "sub", "", "who the token is for")
	f.StringSliceVar(&restaurants, "restaurant", nil, "of a merchant: the restaurants it speaks for")
	f.StringVar(&client, "client", "", "back end that stands behind the customer (claim client)")
	f.DurationVar(&ttl, "ttl", time.Hour, "how long it is valid")
	f.StringVar(&cfg.Data, "data", cfg.Data, "data folder whose jwt-secret signs; made when absent ($"+envName("data")+")")
	f.StringVar(&cfg.JWTSecretFile, "jwt-secret-file", cfg.JWTSecretFile, "key file that signs instead ($"+envName("jwt-secret-file")+")")
	f.StringVar(&cfg.JWTIssuer, "jwt-issuer", cfg.JWTIssuer, "iss ($"+envName("jwt-issuer")+")")
	f.StringVar(&cfg.JWTAudience, "jwt-audience", cfg.JWTAudience, "aud ($"+envName("jwt-audience")+")")
	_ = cmd.MarkFlagRequired("role")
	_ = cmd.MarkFlagRequired("sub")
	return cmd
}

// secret is the HS256 key of an installation without a key set: the named file's, else the data folder's.
func (c *config) secret() ([]byte, error) {
	if c.JWTSecretFile != "" {
		return auth.ParseKeyFile(c.JWTSecretFile)
	}
	return auth.EnsureSecret(c.Data)
}
