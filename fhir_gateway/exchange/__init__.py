"""The exchange: messages in, cases between hospitals, deliveries out."""
